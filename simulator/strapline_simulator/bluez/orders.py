"""What a tester may have happen, one line each: to the adapter, to bluetoothd, to the tags."""

import math
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.bluez.faults import BURST_LIMIT, Deafness
from strapline_simulator.bluez.service import BluezService
from strapline_simulator.real_time import LiveTag

HELP = {
    "deaf": "deaf scan|power|on|off: the adapter hears nothing, until it is asked to scan again, is switched off and on, or for ever",
    "refuse-scans": "refuse-scans N: the next N calls of StartDiscovery fail with InProgress",
    "refuse-connects": "refuse-connects N: the next N calls of Connect fail with InProgress",
    "hang-connects": "hang-connects N: the next N calls of Connect get no answer until Disconnect is called",
    "silent": "silent on|off: a link that is lost is not told; the device goes on looking connected",
    "burst": "burst N|off: so many notifications wait for bluetoothd, and the rest of a burst is lost; off: none is",
    "kill": "kill: bluetoothd dies",
    "start": "start: bluetoothd is started again",
    "unplug": "unplug: the adapter is pulled out",
    "plug": "plug: the adapter is put in again",
    "far": "far [TAG]: out of reach; near [TAG]: -60 dBm again; without a tag: all",
    "near": "",
    "cut": "cut [TAG]: the strap is cut; close [TAG]: it is whole again",
    "close": "",
    "status": "status: adapter, bluetoothd and tags",
    "help": "help: this list",
}


class Order(NamedTuple):
    """A verb and what follows it."""

    verb: str
    argument: str


def parse(line: str) -> Order:
    """UserError for what no order is."""
    verb, _, argument = line.strip().partition(" ")
    if verb not in HELP:
        raise UserError(f"{line.strip()!r}: no such order; they are {', '.join(HELP)}")
    return Order(verb, argument.strip())


def parse_at(text: str) -> tuple[float, Order]:
    """`SECONDS ORDER`."""
    seconds, _, line = text.strip().partition(" ")
    try:
        moment = float(seconds)
    except ValueError:
        moment = math.nan
    if not 0 <= moment < math.inf:
        raise UserError(f'--at "{text}": begin with a number of seconds, as in --at "5 deaf scan"')
    return moment, parse(line)


class Stage:
    """What the orders act on."""

    def __init__(
        self, bluez: BluezService, tags: Mapping[str, LiveTag], reach: MutableMapping[str, int | None]
    ) -> None:
        self._bluez = bluez
        self._tags = tags
        self._reach = reach

    async def carry_out(self, order: Order) -> str:
        """What to answer; UserError for an argument that does not fit."""
        verb, argument = order
        if verb == "help":
            return "\n".join(text for text in HELP.values() if text)
        if verb == "status":
            return self._status()
        if verb in {"kill", "start", "unplug", "plug"}:
            await self._happen(verb)
        elif verb in {"far", "near", "cut", "close"}:
            for name in self._chosen(argument):
                self._do_to(verb, name)
        else:
            self._set(verb, argument)
        return "ok"

    async def _happen(self, verb: str) -> None:
        bluez = self._bluez
        if verb == "kill" and bluez.runs:
            await bluez.bluetoothd_dies()
        elif verb == "start" and not bluez.runs:
            await bluez.bluetoothd_returns()
        elif verb == "unplug" and bluez.plugged:
            await bluez.unplug()
        elif verb == "plug" and not bluez.plugged:
            await bluez.plug_in()
        else:
            raise UserError(f"{verb}: it is so already; status tells")

    def _do_to(self, verb: str, name: str) -> None:
        if verb == "cut":
            self._tags[name].cut_strap()
        elif verb == "close":
            self._tags[name].close_strap()
        else:
            self._reach[name] = None if verb == "far" else -60

    def _set(self, verb: str, argument: str) -> None:
        faults = self._bluez.faults
        if verb == "deaf":
            faults.deaf = Deafness(_one_of(verb, argument, [each.value for each in Deafness]))
        elif verb == "silent":
            faults.silent_loss = _one_of(verb, argument, ["on", "off"]) == "on"
        elif verb == "burst":
            faults.burst_limit = None if argument == "off" else _number(verb, argument, BURST_LIMIT)
        elif verb == "refuse-scans":
            faults.scans_in_progress = _number(verb, argument, 1)
        elif verb == "refuse-connects":
            faults.connects_in_progress = _number(verb, argument, 1)
        else:
            faults.connects_without_answer = _number(verb, argument, 1)

    def _chosen(self, argument: str) -> list[str]:
        if argument and argument not in self._tags:
            raise UserError(f"{argument}: no such tag; there are {', '.join(self._tags)}")
        return [argument] if argument else list(self._tags)

    def _status(self) -> str:
        bluez = self._bluez
        there = "runs" if bluez.runs else "is dead"
        lines = [f"bluetoothd {there}, adapter {'plugged in' if bluez.plugged else 'unplugged'}, {bluez.faults}"]
        for name, tag in self._tags.items():
            where = "far" if self._reach.get(name, 0) is None else "near"
            lines.append(f"{name}: {where}, {'connected' if tag.is_connected else 'not connected'}")
        return "\n".join(lines)


def _one_of(verb: str, argument: str, choices: list[str]) -> str:
    if argument not in choices:
        raise UserError(f"{verb} {argument}: write {verb} {'|'.join(choices)}")
    return argument


def _number(verb: str, argument: str, example: int) -> int:
    if not argument.isascii() or not argument.isdigit():
        raise UserError(f"{verb} {argument}: write a number, such as {verb} {example}")
    return int(argument)
