"""`strapline simulate`: simulated tags in real time against the user's own gateway or broker."""

import asyncio
import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.destinations import STANDARD_OUTPUT, write_json

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(s|min|h)")
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def simulate(
    to: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="tcp://HOST:PORT or serial:PORT[@BAUD] of a gateway's link, or mqtt://HOST:PORT."
        ),
    ],
    tags: Annotated[int, typer.Option(min=1, max=20_000, help="How many tags.")] = 1,
    rate: Annotated[float, typer.Option(min=0.0001, max=1.0, help="Records a second from each tag.")] = 1.0,
    keys: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="The tags' secrets, and their keys for gateways and centre; made there if absent."
        ),
    ] = Path("simulated-tags"),
    only_keys: Annotated[bool, typer.Option("--only-keys", help="Make the keys and leave.")] = False,
    length: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="60s, 10min, 2h; until Ctrl-C without it.")
    ] = None,
    grace: Annotated[str, typer.Option(metavar="LENGTH", help="At the end, for records that are under way.")] = "30s",
    gateways: Annotated[int, typer.Option(min=1, max=100, help="With mqtt: gateways of its own.")] = 1,
    on: Annotated[str, typer.Option("--on", help="What runs the firmware: model or micropython.")] = "model",
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the counters there; - for standard output.")
    ] = None,
) -> None:
    """Let simulated tags send records in real time, and prove by their receipts what was lost and how long it took.

    Exit status: 0 where every record has its receipt, 1 where one has not, 2 for a mistake in what was asked.
    """
    if on not in ("model", "micropython"):
        raise UserError(f"--on {on}: simulate runs the firmware on model or micropython")
    from strapline_simulator.simulate.identities import gateways_in, tags_in
    from strapline_simulator.simulate.running import Request, Simulation, check
    from strapline_simulator.simulate.ways import Target

    for_s = None if length is None else _seconds("--for", length)
    target = Target(to)
    request = Request(tags, rate, target, keys, on, for_s, _seconds("--grace", grace), gateways)
    check(request)
    if only_keys:
        tags_in(keys, tags, begin=False)
        made = gateways_in(keys, gateways) if target.is_broker else {}
        _tell_keys(keys, list(made))
        raise typer.Exit(0)
    err = json_file == "-"
    summary = asyncio.run(_run(request, lambda status: typer.echo(status.line, err=err), Simulation))
    _conclude(summary, json_file)
    raise typer.Exit(0 if summary["passed"] else 1)


async def _run(request: Any, say: Any, make: Any) -> dict[str, Any]:
    found: dict[str, Any] = await make(request, say).run()
    return found


def _tell_keys(folder: Path, gateways: list[str]) -> None:
    from strapline_simulator.simulate.identities import FOR_CENTRE, FOR_GATEWAYS

    typer.echo(f"for the gateway: strapline gateway enrol {folder / FOR_GATEWAYS}")
    typer.echo(f"for the centre:  [tags] keys = {str(folder / FOR_CENTRE)!r}")
    for ident in gateways:
        typer.echo(f"and there:       [[gateway]] id = {ident!r}, key = {str(folder / f'link-{ident}.key')!r}")


def _conclude(summary: dict[str, Any], json_file: str | None) -> None:
    text = json.dumps(summary, indent=2) + "\n"
    write_json(json_file, text)
    if json_file == STANDARD_OUTPUT:
        return
    for word, number in summary["failures"].items():
        typer.echo(f"connections: {number} × {word}")
    for ident, why in summary["troubles"].items():
        typer.echo(f"gateway {ident} has no broker: {why}")
    for ident, about in summary["gateways"].items():
        typer.echo(f"gateway {ident}: " + ", ".join(f"{number} {name}" for name, number in about.items()))
    s = summary
    latency = (
        ""
        if s["p50_s"] is None
        else f"; receipt after p50 {s['p50_s']:.3f} s, p99 {s['p99_s']:.3f} s, at most {s['longest_s']:.3f} s"
    )
    typer.echo(
        f"{s['tags']} simulated tags, {s['seconds']:g} s: {s['made']} records made, {s['sent']} sent, {s['acknowledged']} acknowledged, "
        f"{s['missing']} missing, {s['waiting']} waiting, {s['sent_again']} sent again, {s['refused']} refused{latency}"
    )
    typer.echo("PASSED" if s["passed"] else "FAILED")


def _seconds(option: str, text: str) -> float:
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise UserError(f"{option} {text}: write a length such as 60s, 10min or 2h")
    return float(found[1]) * _UNITS[found[2]]
