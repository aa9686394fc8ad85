"""`strapline hil …`: the group. Other files add their verbs with `@hil.command()`."""

import typer

hil = typer.Typer(no_args_is_help=True, help="The bench: boards on a desk, and without a desk.")


@hil.callback()
def _hil() -> None:
    """The bench: boards on a desk, and without a desk."""
