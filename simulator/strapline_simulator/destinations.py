"""Where commands write what the user asked for. What cannot be written is told in one line that names the option."""

from pathlib import Path

import typer

from strapline_protocol.errors import UserError

STANDARD_OUTPUT = "-"


def make_folder(option: str, folder: Path) -> None:
    """There is a folder now, and it can be written. Raises `UserError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(f"{option} {folder}: {error.strerror}; give a folder that can be written") from None


def claim_file(option: str, path: Path) -> None:
    """There is a file now, before hours of work for it. Raises `UserError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise _no_file(option, path, error) from None


def require_writable(option: str, path: Path) -> None:
    """A file can be there, before the run whose result would be lost; nothing is left behind. Raises `UserError`."""
    existed = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise _no_file(option, path, error) from None


def write_file(option: str, path: Path, text: str) -> None:
    """With the folders that it stands in. Raises `UserError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _no_file(option, path, error) from None


def write_json(path: str | None, text: str) -> None:
    """What `--json FILE` asks for: a file, or `-` for standard output; nothing without it. Raises `UserError`."""
    if path == STANDARD_OUTPUT:
        typer.echo(text, nl=False)
    elif path is not None:
        write_file("--json", Path(path), text)


def _no_file(option: str, path: Path, error: OSError) -> UserError:
    return UserError(f"{option} {path}: {error.strerror}; give a file that can be written")
