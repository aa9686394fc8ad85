"""`strapline gateway range-test`: somebody walks through a home with a tag, and the gateway says what it hears at each spot."""

import json
from typing import Annotated, Any

import typer

from strapline_gateway.options import Configuration
from strapline_protocol.local_control import ask


def range_test(
    tag: Annotated[str, typer.Argument(metavar="TAG", help="The tag that is carried.")],
    config: Configuration,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the report as one JSON object.")] = False,
) -> None:
    """Walk from spot to spot with a tag, and learn where it is heard and which limit to set.

    At each spot: type its name and Enter, stand still for a minute, Enter. A name with - before it is a spot outside, where the wearer
    may not be. An empty name ends the walk.
    """
    from strapline_gateway.config import read_config

    state = read_config(config).gateway.state
    ask(state, "range", step="begin", tag=tag)
    _say(as_json, "Every room first, then outside. Name a spot; -NAME for one outside; nothing to end.")
    while name := _read(as_json, "spot"):
        ask(state, "range", step="spot", tag=tag, name=name.removeprefix("-"), is_home=not name.startswith("-"))
        _read(as_json, "stand still for a minute, then Enter")
        told = ask(state, "range", step="leave", tag=tag)
        _say(as_json, _spot(told["spots"][-1]))
    told = ask(state, "range", step="end", tag=tag)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    for warning in told["warnings"]:
        typer.echo(f"! {warning}")
    if told["proposed_reach_dbm"] is not None:
        typer.echo(f"[presence]\nreach_dbm = {told['proposed_reach_dbm']:.1f}")


def _spot(spot: dict[str, Any]) -> str:
    if spot["median_dbm"] is None:
        return f"  {spot['name']}: nothing was heard"
    heard = f"{spot['samples']} heartbeats, {spot['lost_percent']} % lost"
    verdict = ", a dead spot" if spot["is_dead"] else "" if spot["is_sure"] else ", too few to be sure"
    return f"  {spot['name']}: {spot['range_class']}, {spot['median_dbm']} dBm, one in ten below {spot['weak_dbm']}, {heard}{verdict}"


def _read(quiet: bool, asked: str) -> str:
    _say(quiet, f"{asked}: ", newline=False)
    try:
        return input().strip()
    except EOFError:
        return ""


def _say(quiet: bool, text: str, *, newline: bool = True) -> None:
    typer.echo(text, err=quiet, nl=newline)
