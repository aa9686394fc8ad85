"""`strapline firmware …`: the group, and the verbs of the build. Other files add theirs with `@firmware.command()`."""

import typer

firmware = typer.Typer(no_args_is_help=True, help="Build the tag's firmware, and say what it weighs.")


@firmware.callback()
def _firmware() -> None:
    """Build the tag's firmware, and say what it weighs."""
