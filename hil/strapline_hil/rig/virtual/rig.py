"""The virtual rig: the product build on the virtual board; around it the real drivers, each on the pty of a fake that acts on its wires."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.fakes.gnss import FakeGnssUart
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.fakes.ppk2 import FakePpk2
from strapline_hil.instruments.fakes.pty_fake import PtyFake
from strapline_hil.instruments.fakes.scpi import FakeScpi
from strapline_hil.instruments.protocols import Instrument
from strapline_hil.rig import parts
from strapline_hil.rig.bench_pins import wiring_of
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.drivers import SENSE, Surroundings, open_instruments
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.rig import Rig
from strapline_hil.rig.virtual.meter import Current, VirtualMeter, meter_fake
from strapline_hil.rig.virtual.sniffer import VirtualSniffer
from strapline_hil.rig.virtual.target import VirtualTarget, loop_time_s
from strapline_hil.rig.virtual.world import World
from strapline_simulator.board.body import VirtualBoard

_SETTLE_S = 0.0
"""A fake has moved when it answers."""

_TIMEOUT_S = 1.0
"""A fake answers in milliseconds; but on a busy machine its thread waits for its turn, and that is no fault of the rig."""


class VirtualHand:
    """Who holds the key to the tag without being asked."""

    name = "hand"

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board

    def present_key(self, sealed: bytes) -> None:
        self._board.wiring.key.hold(sealed)

    def check(self) -> list[str]:
        return []

    def close(self) -> None: ...


class VirtualParts:
    """What there is behind the ports of a virtual rig: for tests of the bench itself."""

    def __init__(self, file: RigFile, board: VirtualBoard, stack: ExitStack) -> None:
        self.board = board
        self.world = World(file, lambda: board.wiring)
        self.current = Current(loop_time_s)
        self.fakes: dict[str, PtyFake] = {}
        """By the names of resources and by role: `fakes["strap"].faults.add("stuck")`."""
        self._stack = stack
        for name, resource in file.resources.items():
            self._add(name, self._resource(name, resource, file))
        for role, part in file.instruments.items():
            if (on := getattr(part, "on", None)) is not None:
                self.fakes[role] = self.fakes[on]
            elif (fake := self._instrument(part)) is not None:
                self._add(role, fake)

    def port_of(self, name: str, _port: str) -> str:
        return self.fakes[name].port

    def meter(self, port: str) -> VirtualMeter:
        fake = self.fakes["meter"]
        assert isinstance(fake, FakePpk2)
        return VirtualMeter(port, fake, self.current)

    def surroundings(self) -> Surroundings:
        """For drivers: their ports, and nobody to wait for."""
        return Surroundings(
            port_of=self.port_of,
            make_sniffer=lambda _part: VirtualSniffer(loop_time_s),
            make_meter=self.meter,
            make_hand=lambda: VirtualHand(self.board),
            clock=loop_time_s,
            sleep=lambda _s: None,
            settle_s=_SETTLE_S,
            timeout_s=_TIMEOUT_S,
            watchdog=False,
            hears_itself=True,
        )

    def _add(self, name: str, fake: PtyFake) -> None:
        self.fakes[name] = self._stack.enter_context(fake)

    def _resource(self, name: str, resource: parts.Resource, file: RigFile) -> PtyFake:
        world, relay = self.world, self.world.relay(name)
        if isinstance(resource, parts.LcusRelay):
            return FakeLcus(relay, channels=resource.channels)
        senses = any(getattr(part, "sense", None) == name for part in file.instruments.values())
        return FakeBenchBoard(
            wiring_of(resource.pins),
            on_relay=relay,
            on_heat=world.heat,
            on_motion=world.move,
            on_bytes=world.nmea,
            ohm={SENSE: world.loop_ohm} if senses else None,
        )

    def _instrument(self, part: parts.Part) -> PtyFake | None:
        match part:
            case parts.GnssInjector():
                return FakeGnssUart(self.world.nmea, baudrate=part.baudrate)
            case parts.ScpiSupply():
                return FakeScpi(self.world.supply)
            case parts.PowerMeter():
                return meter_fake(self.current)
            case _:
                return None


class VirtualRig(Rig):
    """A rig with its `virtual` parts."""

    def __init__(
        self, file: RigFile, resources: dict[str, Any], instruments: dict[str, Instrument], parts: VirtualParts
    ) -> None:
        super().__init__(file, instruments, resources)
        self.virtual = parts


def open_virtual(file: RigFile, make_board: Callable[[], VirtualBoard] | None = None) -> RigBody:
    """The rig and its target as a `Body` of a simulation; it closes all that it has."""
    with ExitStack() as stack:
        board = make_board() if make_board is not None else VirtualBoard(sources=file.sources)
        stack.callback(board.close)
        virtual = VirtualParts(file, board, stack)
        opened = open_instruments(file, virtual.surroundings())
        rig = VirtualRig(file, opened.resources, opened.instruments, virtual)
        target = VirtualTarget(board, virtual.world, virtual.current)
        return RigBody(rig, target, f"rig:{file.path}", stack.pop_all().close)
