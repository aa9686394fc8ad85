"""Files that are generated from the code: written, or with `--check` held against what would be written."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path


def parser_for(module: str, about: str | None) -> ArgumentParser:
    """Of the command line `python -m MODULE [--check]`."""
    parser = ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the file is not up to date")
    return parser


def write_or_check(path: Path, rendered: str, command: str, *, check: bool) -> int:
    """Write it, or compare it; gives the exit code, 1 on drift, which `command` mends."""
    if not check:
        path.write_text(rendered, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == rendered:
        return 0
    sys.stderr.write(f"{path.name} differs from the model: run `{command}`\n")
    return 1


def file_command(
    module: str, about: str | None, render: Callable[[], str], arguments: Sequence[str] | None = None
) -> int:
    """`python -m MODULE FILE [--check]`: write the file, or compare it; gives the exit code, 1 on drift."""
    parser = parser_for(module, about)
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    return write_or_check(asked.file, render(), f"python -m {module} {asked.file}", check=asked.check)
