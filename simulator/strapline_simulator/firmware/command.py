"""`strapline firmware …`: the group, and the verbs of the build. Other files add theirs with `@firmware.command()`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

firmware = typer.Typer(no_args_is_help=True, help="Build the tag's firmware, and say what it weighs.")

Board = Annotated[str | None, typer.Option(help="The board whose product program is built, such as esp32-c3.")]
Root = Annotated[
    str | None,
    typer.Option(metavar="MODULE", help="The program to build; without it the board's, or the bench program."),
]


@firmware.callback()
def _firmware() -> None:
    """Build the tag's firmware, and say what it weighs."""


@firmware.command()
def build(
    board: Board = None,
    root: Root = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where it goes.")] = Path("out/firmware"),
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Module by module, with names and line numbers: larger, and easier to follow."),
    ] = False,
) -> None:
    """Compile a program and all that it uses to one file, and write beside it the map that turns its names back."""
    from strapline_simulator.firmware import image, sources
    from strapline_simulator.firmware.bundle import make_bundle

    texts = sources.firmware_sources()
    root = sources.find_root(texts, board, root)
    _make_folder(out)
    if debug:
        total = image.compile_modules(out, root, texts)
        typer.echo(f"{root}: {total:,} bytes, module by module, in {out}")
        return
    bundle = make_bundle(texts, root, image.name_of(root))
    compiled = image.compile_bundle(bundle)
    target = image.write_bundle(out, bundle, compiled)
    (out / f"{bundle.name}.map.json").write_text(json.dumps(bundle.map(), indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{target}  {len(compiled):,} bytes, of {len(bundle.modules)} sources")
    if bundle.launcher:
        typer.echo(f"{out / 'main.py'}  begins it")
    typer.echo(f"{out / f'{bundle.name}.map.json'}  its names, for `strapline firmware traceback`")


@firmware.command()
def size(board: Board = None, root: Root = None) -> None:
    """Say what each source costs in the bundle, and hold the tag against its limit.

    Exit status: 0 where the tag keeps its limit, 1 where it does not, 2 for a mistake in what was asked.
    """
    from strapline_simulator.firmware import image, sources
    from strapline_simulator.firmware.bundle import make_bundle
    from strapline_simulator.firmware.weight import LIMIT_BYTES, weigh

    texts = sources.firmware_sources()
    root = sources.find_root(texts, board, root)
    weight = weigh(make_bundle(texts, root, image.name_of(root)))
    width = max(len(module) for module in weight.modules)
    for module, cost in sorted(weight.modules.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"{module:<{width}}  {cost:>7,}")
    typer.echo(f"{'names and constants that several share':<{width}}  {weight.shared:>7,}")
    typer.echo(f"{'the tag':<{width}}  {weight.tag:>7,}  of {LIMIT_BYTES:,}; compressed {weight.compressed:,}")
    if weight.board:
        typer.echo(f"{'the board: drivers and main program':<{width}}  {weight.board:>7,}")
    if weight.tag > LIMIT_BYTES:
        typer.echo(f"{weight.tag - LIMIT_BYTES:,} bytes too large", err=True)
        raise typer.Exit(1)


@firmware.command()
def traceback(
    names: Annotated[Path, typer.Argument(metavar="MAP", help="The build's .map.json.")],
    file: Annotated[Path | None, typer.Argument(help="The traceback; standard input without it.")] = None,
) -> None:
    """Turn a board's traceback back into our names."""
    from strapline_simulator.firmware.backtrace import explain, read_map

    held = read_map(_read(names), str(names))
    typer.echo(explain(sys.stdin.read() if file is None else _read(file), held), nl=False)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or 'not a text'}") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"-o {folder}: {error.strerror}; give a folder that can be written") from None
