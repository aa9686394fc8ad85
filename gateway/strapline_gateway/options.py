"""Options that several of the gateway's commands have."""

from pathlib import Path
from typing import Annotated

import typer

Configuration = Annotated[
    Path,
    typer.Option("--config", metavar="FILE", help="The gateway's configuration.", envvar="STRAPLINE_GATEWAY_CONFIG"),
]
