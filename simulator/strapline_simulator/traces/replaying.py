"""What `strapline trace replay` does: which way a trace goes, and what is told of it."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.traces import link_replay, mqtt_replay
from strapline_simulator.traces.keybox import KeyBox
from strapline_simulator.traces.mqtt_replay import SIDES, Plan
from strapline_simulator.traces.pacing import Stepper
from strapline_simulator.traces.published import PublishedRecords, records_published
from strapline_simulator.traces.reading import Reading
from strapline_simulator.traces.remapping import Remapper, read_map, read_seals
from strapline_simulator.traces.selecting import Selection, selected
from strapline_simulator.traces.tag_side import conversations, records_of

_SHOWN = 10
"""Missing things that are named, before the rest is counted."""


class Asked(NamedTuple):
    """A replay, as the user asked for it."""

    path: Path
    to: str
    keys: KeyBox
    selection: Selection
    plan: Plan
    side: str = "gateways"
    names: Sequence[str] = ()
    seals: Sequence[str] = ()
    broker: str = ""


async def run(asked: Asked, stepper: Stepper) -> tuple[list[str], bool]:
    """What to tell, and whether everything came that `verify` looked for. UserError."""
    loop = asyncio.get_running_loop()
    with suppress(RuntimeError, ValueError):  # not on the main thread, where no Ctrl-C arrives
        loop.add_signal_handler(signal.SIGINT, stepper.stop)
    try:
        way = _to_broker if asked.to.startswith(("mqtt://", "mqtts://")) else _to_link
        lines, good = await way(asked, stepper)
    finally:
        with suppress(RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
    return (["stopped before the end", *lines] if stepper.stopped else lines), good


async def _to_broker(asked: Asked, stepper: Stepper) -> tuple[list[str], bool]:
    if asked.side not in SIDES:
        raise UserError(f"--side {asked.side}: one of {', '.join(SIDES)}")
    if asked.plan.verify not in ("", "delivery", "receipts"):
        raise UserError(f"--verify {asked.plan.verify}: to a broker it is delivery or receipts")
    remapper = Remapper(read_map(asked.names), read_seals(asked.seals))
    every = list(selected(asked.path, asked.keys, Selection(interfaces=("mqtt",))))
    meant = _meant(asked, every)
    chosen = [remapper.map(one) for one in mqtt_replay.publications(meant, asked.side)]
    if not chosen:
        raise UserError(f"{asked.path}: no publication of that kind in it; `strapline trace show` tells what is")
    unsealed = remapper.unsealed
    expected = mqtt_replay.receipted(every, remapper, chosen)
    if asked.plan.verify == "receipts" and not expected:
        raise UserError(f"{asked.path}: no receipt in it for what is replayed; verify delivery instead")
    came = await mqtt_replay.replay(asked.to, chosen, expected, asked.plan, stepper)
    lines = [f"{came.published} messages published, {came.acknowledged} with a PUBACK, in {came.took_s:.1f} s"]
    if unsealed:
        lines.append(
            f"{unsealed} of them have new names under their old seal, which does not hold any more: --seal gives them another"
        )
    lines += _verdict(asked.plan.verify, came.expected, came.missing)
    if asked.plan.verify == "receipts" and len(came.missing) == came.expected:
        lines.append("not one came: is a centre behind this broker that has the gateways' and the tags' keys?")
    return lines, came.acknowledged == came.published and not came.missing


def _meant(asked: Asked, every: Sequence[Reading]) -> list[Reading]:
    begin_s = every[0].packet.utc_s if every else 0.0
    return [reading for reading in every if asked.selection.takes(reading, begin_s)]


async def _to_link(asked: Asked, stepper: Stepper) -> tuple[list[str], bool]:
    address = link_replay.check_link(asked.to)
    if asked.names or asked.seals:
        raise UserError("--map and --seal are for a broker: on a link a tag goes by its key, and by no name")
    if asked.plan.verify not in ("", "records"):
        raise UserError(f"--verify {asked.plan.verify}: to a link it is records")
    if asked.plan.verify and not asked.broker:
        raise UserError("--verify records looks at what the gateway publishes: add --broker mqtt://HOST:PORT")
    if not asked.keys.shares:
        raise UserError(
            "a connection has a key of its own each time: give the gateway's key file of the tags with --key"
        )
    readings = list(selected(asked.path, asked.keys, asked.selection._replace(kinds=(), gateways=())))
    found = conversations(readings, asked.keys)
    if not found.conversations:
        raise UserError(
            f"{asked.path}: {found.unopened} connections in it, none of which the given keys open from its beginning"
        )
    sent = [record for one in found.conversations for record in records_of(one)]
    expected = records_published(readings) & {bytes(record) for record in sent}
    await link_replay.require_link(address)
    link = link_replay.LinkReplay(address, asked.plan, stepper)
    if not asked.plan.verify:
        came, missing = await link.run(found.conversations), list[bytes]()
    else:
        async with PublishedRecords(asked.broker) as ear:
            came = await link.run(found.conversations)
            missing = await ear.missing(expected, asked.plan.wait_s)
    lines = [
        f"{came.connections} connections, {came.records} records acknowledged on the link, {came.commands} commands came back"
    ]
    lines += [f"not replayed: {text}" for text in _left_out(found.unopened, found.heartbeats)]
    lines += _some(came.troubles)
    lines += _verdict(
        asked.plan.verify,
        len(expected),
        [f"the gateway did not publish the record {one.hex()[:40]}…" for one in missing],
    )
    return lines, not (came.troubles or missing)


def _left_out(unopened: int, heartbeats: int) -> list[str]:
    told = [f"{unopened} connections that no key opens or that began before the trace"] if unopened else []
    return told + ([f"{heartbeats} heartbeats, which a radio carries and no wire"] if heartbeats else [])


def _verdict(verify: str, expected: int, missing: list[str]) -> list[str]:
    if not verify:
        return []
    return [f"verified: {expected - len(missing)} of {expected} {_LOOKED_FOR[verify]}", *_some(missing)]


_LOOKED_FOR = {
    "delivery": "messages came back from the broker",
    "receipts": "records have their receipt",
    "records": "records were published by the gateway",
}


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return lines[:_SHOWN] + ([f"… and {more} more"] if more > 0 else [])
