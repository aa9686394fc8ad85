"""The console of the commands that show how far they are."""

from rich.console import Console

from strapline_simulator.destinations import STANDARD_OUTPUT

_LOG_WIDTH = 160
"""Columns in a file or a pipe: who searches a log wants each line whole."""


def make_console(json_file: str | None = None) -> Console:
    """On standard error where the JSON has standard output."""
    console = Console(stderr=json_file == STANDARD_OUTPUT, highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    return console
