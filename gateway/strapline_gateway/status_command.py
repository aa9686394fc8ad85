"""`strapline gateway status`: a gateway that runs, at a glance."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from strapline_gateway.options import Configuration
from strapline_protocol.local_control import NotRunningError, ask


def status(
    config: Configuration,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: all of it as one JSON object.")] = False,
) -> None:
    """Say how the gateway is: its tags, links, outbox, broker and centre.

    Exit status: 0 it runs, also where something is wrong with it; 1 no gateway runs there; 2 a mistake.
    """
    from strapline_gateway.config import read_config

    settings = read_config(config)
    try:
        told = ask(settings.gateway.state, "status")
    except NotRunningError as error:
        typer.echo(json.dumps({"running": False}) if as_json else str(error))
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({"running": True, **told}, indent=2))
        return
    for line in lines(told):
        typer.echo(line)


def lines(told: dict[str, Any]) -> Iterator[str]:
    """What is told, for people."""
    for trouble in told["troubles"]:
        yield f"! {trouble['text']}"
    up = f"up {_span(told['uptime_s'])}"
    yield f"gateway   {told['gateway']} ({told['profile']}), version {told['version']}, process {told['pid']}, {up}"
    broker, centre, outbox, traffic = told["broker"], told["centre"], told["outbox"], told["traffic"]
    yield f"broker    {broker['place']}: {'connected' if broker['connected'] else broker['trouble'] or 'not connected'}"
    heard = "no beat heard yet" if centre["heard_s_ago"] is None else f"heard {_span(centre['heard_s_ago'])} ago"
    yield f"centre    {heard}{', silent' if centre['silent'] else ''}"
    oldest = "" if outbox["oldest_alarm_s"] is None else f", the oldest alarm for {_span(outbox['oldest_alarm_s'])}"
    used = f"{outbox['used_bytes'] / 2**20:.1f} of {outbox['limit_bytes'] / 2**20:.0f} MiB"
    yield f"outbox    {outbox['alarms']} alarms, {outbox['history']} more wait{oldest}; {used}"
    yield f"records   {traffic['published']} published, {traffic['receipted']} with a receipt, {traffic['refused']} refused"
    yield f"clock     {told['clock']}"
    for link in told["links"]:
        heard = "nobody heard yet" if link["heard_s_ago"] is None else f"heard {_span(link['heard_s_ago'])} ago"
        failed = sum(link["failures"].values())
        yield f"link      {link['name']}: {link['state']}, {heard}, {link['connections']} open, {failed} failures"
    yield from _tags(told["tags"])


def _tags(tags: list[dict[str, Any]]) -> Iterator[str]:
    if not tags:
        yield "tag       none is enrolled: `strapline gateway enrol`"
    for tag in tags:
        where = "here" if tag["present"] else "away"
        if tag["present"] and not tag["verified"]:
            where = "here, not proved yet"
        parts = [f"tag       {tag['tag']}: {where}"]
        if tag["rssi_dbm"] is not None:
            parts.append(f"{tag['rssi_dbm']:.0f} dBm ({tag['range_class']})")
        if tag["heard_s_ago"] is not None:
            parts.append(f"heard {_span(tag['heard_s_ago'])} ago")
        if tag["mail"]:
            parts.append(f"{tag['mail']} orders wait")
        if tag["key_generation"]:
            parts.append(f"keys of generation {tag['key_generation']}")
        yield ", ".join(parts)


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
