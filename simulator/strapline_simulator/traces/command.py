"""`strapline trace`: what passed on a system's links, recorded, shown, compared, exported and played again."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError

trace = typer.Typer(no_args_is_help=True, help="Record, show, compare, export and replay what passed on the links.")

Trace = Annotated[Path, typer.Argument(metavar="TRACE", help="A pcapng file of strapline's.")]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", metavar="FILE", help="A key file of a gateway or of the centre: what it opens is opened."),
]
Interfaces = Annotated[
    list[str] | None,
    typer.Option("--interface", help="air, cellular, serial, mqtt, opened, truth or hci; may be repeated."),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Only what is known to be of this tag; may be repeated.")]
Gateways = Annotated[
    list[str] | None, typer.Option("--gateway", help="Only publications of this gateway; may be repeated.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="A frame's kind or a publication's channel, such as record or receipt."),
]
Start = Annotated[str, typer.Option(help="From: 90, 1h30m, or a time in UTC such as 2026-03-02T19:00:00Z.")]
Until = Annotated[str, typer.Option(help="Up to that, in the same way.")]


@trace.command()
def show(
    file: Trace,
    key: Keys = None,
    interface: Interfaces = None,
    tag: Tags = None,
    gateway: Gateways = None,
    kind: Kinds = None,
    start: Start = "",
    until: Until = "",
) -> None:
    """Print a trace, one line a packet: number, time, interface, way, tag, kind and what it says."""
    from strapline_simulator.traces.selecting import Selection, key_box, selected
    from strapline_simulator.traces.show import line_of

    selection = Selection(interface or (), tag or (), gateway or (), kind or (), start, until)
    shown = 0
    for reading in selected(file, key_box(file, key or ()), selection):
        typer.echo(line_of(reading))
        shown += 1
    if not shown:
        typer.echo(f"{file}: no packet" + (" of that choice" if selection != Selection() else ""), err=True)


@trace.command()
def diff(
    first: Annotated[Path, typer.Argument(help="A trace.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    key: Keys = None,
    interface: Interfaces = None,
    tag: Tags = None,
    kind: Kinds = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="Seconds that times may differ.")] = 1.0,
    ignore: Annotated[
        list[str] | None, typer.Option(help="A field that does not count either; may be repeated.")
    ] = None,
    count: Annotated[
        list[str] | None, typer.Option("--count", help="A field that counts although it is random by design.")
    ] = None,
) -> None:
    """Compare two traces by what they mean: pseudonyms, counters, nonces, seals, journal numbers and times of day do not count.

    Exit status: 0 they mean the same, 1 they differ (the first difference is shown), 2 for a mistake in what was asked.
    """
    from strapline_simulator.traces.comparing import RANDOM, TIMES, Rules, compare, side_by_side
    from strapline_simulator.traces.keybox import KeyBox
    from strapline_simulator.traces.selecting import Selection, key_box, selected

    selection = Selection(interface or (), tag or (), (), kind or ())
    boxes = [key_box(file, key or ()) for file in (first, second)]
    if bool(boxes[0]) != bool(boxes[1]):
        typer.echo(
            "only one of them can be opened: both are compared as they are, sealed; --key FILE opens both", err=True
        )
        boxes = [KeyBox(), KeyBox()]
    left, right = (selected(file, box, selection) for file, box in zip((first, second), boxes, strict=True))
    found = compare(left, right, Rules(tolerance, (RANDOM | TIMES | set(ignore or ())) - set(count or ())))
    packets = sum(found.same.values())
    if not found.differences:
        typer.echo(f"the same: {packets} packets, {len(found.same)} streams")
        return
    for one in found.differences:
        typer.echo(f"{one.stream}: packet {one.place}: {one.why}")
    if found.same:
        typer.echo(f"the same: {packets} packets, {len(found.same)} other streams")
    typer.echo(f"\nthe first difference, in {found.differences[0].stream}  (≠ counts, ~ does not)")
    for line in side_by_side(found.differences[0]):
        typer.echo(line)
    raise typer.Exit(1)


@trace.command()
def export(
    file: Trace,
    out: Annotated[Path, typer.Argument(help="A file ending in .csv, .jsonl, .parquet, or .gpx for positions.")],
    key: Keys = None,
    interface: Interfaces = None,
    tag: Tags = None,
    gateway: Gateways = None,
    kind: Kinds = None,
    start: Start = "",
    until: Until = "",
) -> None:
    """Write a trace as a table, or its positions as a track."""
    from strapline_simulator.traces.exporting import export as write
    from strapline_simulator.traces.selecting import Selection, key_box, selected

    count = write(
        selected(
            file,
            key_box(file, key or ()),
            Selection(interface or (), tag or (), gateway or (), kind or (), start, until),
        ),
        out,
    )
    typer.echo(f"{out}: {count} {'positions' if out.suffix.lower() == '.gpx' else 'packets'}")


@trace.command()
def keys(
    file: Trace,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the key files go; made if need be.")],
) -> None:
    """Write the test keys of a trace as key files: for a centre, a gateway or a consumer that it is replayed to.

    Only a simulation's trace can hold any, and only where it was made with --trace-keys.
    """
    from strapline_simulator.traces.handing_out import write_keys
    from strapline_simulator.traces.selecting import held_keys

    held = held_keys(file)
    if not held:
        raise UserError(
            f"{file}: holds no keys; `strapline run SCENARIO --out FOLDER --trace-keys` makes a trace that does"
        )
    for written in write_keys(held[0], folder):
        typer.echo(str(written))


@trace.command()
def record(
    config: Annotated[
        Path,
        typer.Option(
            "--config", metavar="FILE", help="The gateway's configuration.", envvar="STRAPLINE_GATEWAY_CONFIG"
        ),
    ],
    out: Annotated[Path, typer.Option(help="The trace; older ones beside it get numbers.")] = Path("trace.pcapng"),
    span: Annotated[str, typer.Option("--for", help="For how long, such as 90 or 2h; until Ctrl-C without it.")] = "",
    limit_mib: Annotated[int, typer.Option(min=1, help="A file of this size is turned over.")] = 64,
    files: Annotated[int, typer.Option(min=1, help="So many files are kept, the current one included.")] = 8,
) -> None:
    """Record what passes on the links of a gateway that runs here, and between it and its broker.

    Nothing is opened and no key is written. The files are for your eyes only (mode 0600): they tell who was where when.
    """
    from strapline_gateway.config import read_config
    from strapline_simulator.traces.recording import Turning
    from strapline_simulator.traces.recording import record as run
    from strapline_simulator.traces.selecting import span_s

    end = time.monotonic() + (span_s(span) if span else float("inf"))
    state = read_config(config).gateway.state
    with _told_to_end() as ended:
        counts = run(
            state,
            out,
            Turning(limit_mib << 20, files),
            goes_on=lambda: not ended and time.monotonic() < end,
            tell=lambda text: typer.echo(text, err=True),
        )
    lost = f", {counts.lost} lost" if counts.lost else ""
    broken = f", {counts.broken} stretches of bytes were no frame" if counts.broken else ""
    typer.echo(f"{out}: {counts.packets} packets{lost}{broken}")


@contextmanager
def _told_to_end() -> Iterator[list[int]]:
    """A list that is filled by SIGINT or SIGTERM."""
    told: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _frame: told.append(number)) for number in numbers]
    try:
        yield told
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@trace.command()
def replay(
    file: Trace,
    to: Annotated[str, typer.Option(help="mqtt://HOST:PORT, or a gateway's link: serial:PORT, tcp:HOST:PORT.")],
    key: Keys = None,
    tag: Tags = None,
    gateway: Gateways = None,
    kind: Kinds = None,
    start: Start = "",
    until: Until = "",
    rate: Annotated[float, typer.Option(min=0.0, help="So many times as fast; 0 without any pause.")] = 1.0,
    skip_gaps: Annotated[float | None, typer.Option(min=0.0, help="No pause is longer than so many seconds.")] = None,
    loop: Annotated[int, typer.Option(min=0, help="So many times; 0 until Ctrl-C.")] = 1,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter before each message or connection.")] = False,
    side: Annotated[str, typer.Option(help="To a broker: what gateways, centre or both have published.")] = "gateways",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="To a broker: OLD=NEW renames a gateway or tag.")
    ] = None,
    seal: Annotated[
        list[str] | None,
        typer.Option(help="To a broker: GATEWAY=FILE seals its messages anew with the key in the file."),
    ] = None,
    verify: Annotated[
        str,
        typer.Option(help="To a broker: delivery or receipts. To a link: records (needs --broker)."),
    ] = "",
    broker: Annotated[str, typer.Option(help="To a link: the gateway's broker, to see what it publishes.")] = "",
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds for what is still to come at the end.")] = 10.0,
) -> None:
    """Play a trace again: its publications at a broker, or its tags' connections at a gateway's link.

    Exit status: 0 done, and what --verify looked for came; 1 something did not come; 2 for a mistake in what was asked.
    """
    from strapline_simulator.traces import replaying
    from strapline_simulator.traces.mqtt_replay import Plan
    from strapline_simulator.traces.pacing import Pace, Stepper
    from strapline_simulator.traces.selecting import Selection, key_box

    asked = replaying.Asked(
        file, to, key_box(file, key or ()), Selection((), tag or (), gateway or (), kind or (), start, until),
        Plan(Pace(rate, skip_gaps), loop, verify, wait), side, map_ or (), seal or (), broker,
    )  # fmt: skip
    stepper = Stepper(wanted=step, ask=lambda text: typer.echo(f"{text}  [Enter]", err=True))
    lines, good = asyncio.run(replaying.run(asked, stepper))
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if good else 1)
