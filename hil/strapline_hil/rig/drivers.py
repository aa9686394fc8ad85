"""The rig file's parts, opened: a driver for each resource and each instrument, at the ports where they are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.by_hand import (
    ByHand,
    ContactsByHand,
    HeatByHand,
    MainsByHand,
    MotionByHand,
    StrapByHand,
    ask_at_terminal,
)
from strapline_hil.instruments.contacts import Contacts
from strapline_hil.instruments.gnss_injector import BoardUart, GnssInjector, UsbUart
from strapline_hil.instruments.heater import Heater
from strapline_hil.instruments.lcus_relay import LcusRelay
from strapline_hil.instruments.mains import MainsRelay
from strapline_hil.instruments.ppk2_meter import Ppk2Meter
from strapline_hil.instruments.protocols import Clock, Instrument
from strapline_hil.instruments.resistor_ladder import ResistorLadder
from strapline_hil.instruments.scpi_supply import ScpiSupply
from strapline_hil.instruments.shaker import Shaker, VibrationMotor
from strapline_hil.instruments.strap import StrapDecade, StrapRelay
from strapline_hil.labgrid import LabgridMains, address_from
from strapline_hil.rig import parts
from strapline_hil.rig.bench_pins import wiring_of
from strapline_hil.rig.file import RigFile

SENSE = "strap"
_BY_HAND: dict[str, type[ByHand]] = {
    "strap": StrapByHand,
    "contacts": ContactsByHand,
    "heat": HeatByHand,
    "motion": MotionByHand,
    "mains": MainsByHand,
}


_ONCE = 3
"""Others ask three times; a sentence is not sent again, so it is waited for as long as for all three."""


class Surroundings(NamedTuple):
    """What drivers take from where they are: a desk, unless something else is given."""

    port_of: Callable[[str, str], str] = lambda _name, port: port
    """(name of a resource or role, its port in the file) -> where it really is"""
    folder: Path = Path()
    """Of the rig file."""
    make_sniffer: Callable[[parts.Sniffer], Instrument] | None = None
    make_meter: Callable[[str], Instrument] | None = None
    """Takes the port."""
    make_hand: Callable[[], Instrument] | None = None
    ask: Callable[[str], object] = ask_at_terminal
    clock: Clock = monotonic
    sleep: Callable[[float], object] = sleep
    settle_s: float | None = None
    """What relays and supplies are left after a command; None: as each driver has it."""
    timeout_s: float | None = None
    """How long they wait for an answer; None: as each driver has it."""
    watchdog: bool = True
    hears_itself: bool = False
    """Every injector is looped back."""


class Opened(NamedTuple):
    """By name and by role."""

    resources: dict[str, Any]
    instruments: dict[str, Instrument]


def open_instruments(file: RigFile, around: Surroundings) -> Opened:
    """All of them, or none: what was opened before one fails is closed. Raises `BenchError`."""
    with ExitStack() as stack:
        resources: dict[str, Any] = {}
        for name, resource in file.resources.items():
            resources[name] = open_resource(name, resource, around)
            stack.callback(resources[name].close)
        instruments: dict[str, Instrument] = {}
        for role, part in _in_order(file):
            instruments[role] = open_instrument(role, part, resources, around)
            stack.callback(instruments[role].close)
        stack.pop_all()
        return Opened(resources, instruments)


def _in_order(file: RigFile) -> Iterator[tuple[str, parts.Part]]:
    """The supply first: without power the others act on a dead tag."""
    yield from sorted(file.instruments.items(), key=lambda item: item[0] != "supply")


def open_instrument(role: str, part: parts.Part, resources: Mapping[str, Any], around: Surroundings) -> Instrument:
    """One, on these resources. Raises `BenchError`."""
    return _Opener(resources, around).open(role, part)


def open_resource(name: str, resource: parts.Resource, around: Surroundings) -> LcusRelay | BenchBoard:
    """One. Raises `BenchError`."""
    port = around.port_of(name, resource.port)
    if isinstance(resource, parts.LcusRelay):
        return LcusRelay(port, channels=resource.channels, name=name, **_settling(around), **_waiting(around))
    watchdog_s = resource.silence_s if around.watchdog else 0.0
    patience = _waiting(around, "answer_limit_s")
    return BenchBoard(port, wiring_of(resource.pins), watchdog_s=watchdog_s, name=name, **patience)


def _settling(around: Surroundings) -> dict[str, float]:
    return {} if around.settle_s is None else {"settle_s": around.settle_s}


def _waiting(around: Surroundings, word: str = "timeout_s") -> dict[str, Any]:
    return {} if around.timeout_s is None else {word: around.timeout_s}


class _Opener:
    def __init__(self, resources: Mapping[str, Any], around: Surroundings) -> None:
        self._resources = resources
        self._around = around

    def open(self, role: str, part: parts.Part) -> Instrument:
        match part:
            case parts.StrapRelay() | parts.StrapDecade():
                return self._strap(role, part)
            case parts.Contacts():
                return Contacts(self._resources[part.on], channels=_plain(part.channels), name=role)
            case parts.MainsRelay():
                return MainsRelay(self._resources[part.on], part.channel, on_at_rest=part.on_at_rest, name=role)
            case parts.LabgridPower():
                return LabgridMains(address_from(self._around.folder, part.place), name=role)
            case parts.Heater():
                return Heater(self._resources[part.on], name=role, sleep=self._around.sleep)
            case parts.Shaker():
                kind = Shaker if part.driver == "shaker" else VibrationMotor
                return kind(self._resources[part.on], name=role)
            case parts.GnssInjector():
                return self._injector(role, part)
            case _:
                return self._own_port(role, part)

    def _own_port(self, role: str, part: parts.Part) -> Instrument:
        around = self._around
        match part:
            case parts.ScpiSupply():
                return ScpiSupply(
                    around.port_of(role, part.port),
                    limit_ma=part.limit_ma,
                    output=part.output,
                    baudrate=part.baudrate,
                    name=role,
                    **_settling(around),
                    **_waiting(around),
                )
            case parts.PowerMeter():
                port = around.port_of(role, part.port)
                return around.make_meter(port) if around.make_meter else Ppk2Meter(port, clock=around.clock, name=role)
            case parts.Sniffer():
                return self._sniffer(part)
            case _:
                return self._person(role)

    def _strap(self, role: str, part: parts.StrapRelay | parts.StrapDecade) -> Instrument:
        relays, sense, settling = self._resources[part.on], self._sense(part.sense), _settling(self._around)
        if isinstance(part, parts.StrapDecade):
            ladder = ResistorLadder(relays, part.steps, base_ohm=part.base_ohm, name=role)
            strap = StrapDecade(
                relays,
                ladder,
                open_channel=part.open,
                closed_ohm=part.closed_ohm,
                tries_ohm=ladder.ends_ohm,
                sense=sense,
                name=role,
                **settling,
            )
            strap.set_ohm(part.closed_ohm)
            return strap
        channels, loops = _plain(part.channels), _plain(part.loops)
        return StrapRelay(relays, channels=channels, loops=loops, sense=sense, name=role, **settling)

    def _sense(self, name: str | None) -> Callable[[], float] | None:
        if name is None:
            return None
        board: BenchBoard = self._resources[name]
        return lambda: board.ohm(SENSE)

    def _injector(self, role: str, part: parts.GnssInjector) -> Instrument:
        loopback = part.loopback or self._around.hears_itself
        if part.on is not None:
            uart: BoardUart | UsbUart = BoardUart(self._resources[part.on], part.baudrate)
        else:
            uart = UsbUart(self._around.port_of(role, part.port), part.baudrate)
        timeout_s = self._around.timeout_s
        patience: dict[str, Any] = {} if timeout_s is None else {"slack_s": _ONCE * timeout_s}
        return GnssInjector(uart, loopback=loopback, baudrate=part.baudrate, name=role, **patience)

    def _sniffer(self, part: parts.Sniffer) -> Instrument:
        if self._around.make_sniffer is not None:
            return self._around.make_sniffer(part)
        from bleak import BleakScanner

        from strapline_hil.instruments.sniffer import Sniffer

        return Sniffer(lambda heard: BleakScanner(heard, bluez={"adapter": part.adapter}), clock=self._around.clock)

    def _person(self, role: str) -> Instrument:
        if role == "hand" and self._around.make_hand is not None:
            return self._around.make_hand()
        return _BY_HAND.get(role, ByHand)(self._around.ask)


def _plain(named: Mapping[Any, int]) -> dict[str, int]:
    """Words of the file are words like any other."""
    return {str(name): value for name, value in named.items()}
