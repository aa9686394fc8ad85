"""`strapline provision`: the words around `provisioning`."""

from pathlib import Path
from typing import Annotated

import typer


def provision(
    tag: Annotated[str, typer.Argument(metavar="TAG", help="The tag's id, eight hexadecimal digits; or `new`.")],
    board: Annotated[
        str, typer.Option(metavar="BOARD", help="Its USB serial number or port; or file:FOLDER for the files of one.")
    ],
    gateway_file: Annotated[
        Path, typer.Option("--gateway-keys", metavar="FILE", help="Where the gateways' keys are kept.")
    ] = Path("gateway-keys.json"),
    centre_file: Annotated[
        Path, typer.Option("--centre-keys", metavar="FILE", help="Where the centre's keys are kept.")
    ] = Path("centre-keys.json"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where the board has a secret, or the files have the tag.")
    ] = False,
    share_end_to_end: Annotated[
        bool, typer.Option("--share-end-to-end", help="Let gateways read and write records and commands too.")
    ] = False,
) -> None:
    """Make a tag's secret on its board, and give gateways and centre their keys.

    The secret is on the board and nowhere else. A board's running program is interrupted.
    """
    from strapline_hil.provisioning import Request
    from strapline_hil.provisioning import provision as make_tag

    made = make_tag(Request(tag, board, gateway_file, centre_file, replace, share_end_to_end))
    typer.echo(f"tag {made}: its secret is on the board at {board}, read back and right")
    typer.echo(f"  gateways' keys: {gateway_file}")
    typer.echo(f"  centre's key:   {centre_file}")
    typer.echo("Switch the board off and on: what runs on it may hold what was there before.")
    if share_end_to_end:
        typer.echo(
            "warning: the gateways that are handed these keys read this tag's records and can command it as the centre does",
            err=True,
        )
