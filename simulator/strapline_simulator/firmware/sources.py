"""The firmware's sources, and which of them a program needs, in the order in which they can be one module."""

import ast
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

from strapline_protocol.errors import UserError
from strapline_simulator.firmware.walk import walk

PACKAGES = ("strapline_wire", "strapline_tag", "strapline_boards", "strapline_boot")
HOST_ONLY = frozenset({"strapline_wire.host"})
ALWAYS_ON_BOARDS = frozenset({"micropython"})

BENCH = "strapline_tag.bench_main"
"""The program that lets a simulation drive the tag."""

BENCH_SERIAL = "strapline_tag.bench_serial"
"""The same for a bare board behind a serial line."""


_BOARD_PROGRAM = "strapline_boards.main_"


class BuildError(UserError):
    """A source that cannot become firmware; says where and why."""


class Source(NamedTuple):
    """One module: its name, its text and its tree, without what only a host runs."""

    name: str
    text: str
    tree: ast.Module

    def refuse(self, node: ast.AST, why: str) -> NoReturn:
        """Say that a line cannot be built."""
        raise BuildError(f"{self.name.replace('.', '/')}.py:{getattr(node, 'lineno', 1)}: {why}")


def firmware_sources(changed: Path | None = None) -> dict[str, str]:
    """The firmware's source texts by module, all of them; what the folder `changed` has of the packages goes first."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        if find_spec(package) is not None:
            found |= _package_sources(package, Path(str(files(package))))
    return found if changed is None else found | _changed_sources(changed)


def _changed_sources(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in PACKAGES:
        found |= _package_sources(package, folder / package)
    if not found:
        raise UserError(
            f"{folder}: no firmware there; it holds changed files of {', '.join(PACKAGES)}, in these folders"
        )
    return found


def _package_sources(package: str, folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        found[".".join(part for part in parts if part != "__init__")] = path.read_text(encoding="utf-8")
    return found


def find_root(texts: Mapping[str, str], board: str | None, root: str | None) -> str:
    """The program that is meant: a module by name, or a board's product program, or else the bench program."""
    if board is not None and root is not None:
        raise UserError("--board and --root both name a program: give one of them")
    if board is not None:
        root = f"{_BOARD_PROGRAM}{board.replace('-', '_')}"
        boards = [
            name.removeprefix(_BOARD_PROGRAM).replace("_", "-") for name in texts if name.startswith(_BOARD_PROGRAM)
        ]
        if root not in texts:
            raise UserError(f"--board {board}: no such board; there are: {', '.join(sorted(boards)) or 'none yet'}")
    root = root or BENCH
    if root not in texts:
        raise UserError(f"--root {root}: no such module among the firmware's sources; one is {BENCH}")
    return root


def read_program(texts: Mapping[str, str], root: str) -> list[Source]:
    """What the program `root` needs, each module behind those that it imports; a circle is refused."""
    if root not in texts:
        raise BuildError(f"no module {root} among the firmware's sources: they are in {', '.join(_packages(texts))}")
    done: dict[str, Source] = {}
    _visit(texts, root, [], done)
    return list(done.values())


def _packages(texts: Mapping[str, str]) -> list[str]:
    return sorted({name.partition(".")[0] for name in texts})


def _visit(texts: Mapping[str, str], name: str, path: list[str], done: dict[str, Source]) -> None:
    if name in done:
        return
    if name in path:
        circle = " imports ".join([*path[path.index(name) :], name])
        raise BuildError(f"a circle of imports cannot become one module: {circle}")
    source = Source(name, texts[name], _without_host(_parse(name, texts[name])))
    for wanted in imported(source, texts):
        _visit(texts, wanted, [*path, name], done)
    done[name] = source


def _parse(name: str, text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise BuildError(f"{name.replace('.', '/')}.py:{error.lineno}: {error.msg}") from None


def imported(source: Source, texts: Mapping[str, str]) -> Iterator[str]:
    """Our modules that a source imports, wherever in it, in the order of its lines."""
    for node in walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in texts)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                source.refuse(node, "name the module from its package on: a bundle knows no folders")
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inside if name in texts)
            if all(name in texts for name in inside):
                continue
            if node.module in texts:
                yield node.module
            elif node.module.partition(".")[0] in _packages(texts):
                source.refuse(node, f"no module {node.module} among the firmware's sources")


def _without_host(tree: ast.Module) -> ast.Module:
    """The tree as a board sees it: what only a host has is never imported, and what every board has always."""
    tree.body = list(_settled(tree.body))
    return tree


def _settled(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        first = node.body[0] if isinstance(node, ast.Try) else None
        if isinstance(node, ast.Try) and isinstance(first, ast.ImportFrom) and first.module in HOST_ONLY:
            yield from _settled(node.handlers[0].body)
        elif isinstance(node, ast.Try) and isinstance(first, ast.ImportFrom) and first.module in ALWAYS_ON_BOARDS:
            yield from (*node.body, *node.orelse, *node.finalbody)
        else:
            yield node
