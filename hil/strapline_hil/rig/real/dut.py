"""A tag on a desk as the `Body` of a chain: what the world does to it the instruments do, and what it does it does by itself."""

import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bleak import BleakScanner

from strapline_hil.instruments.by_hand import ask_at_terminal
from strapline_hil.instruments.protocols import Clock
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.drivers import Surroundings, open_instruments
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.real.hand import OfficersHand
from strapline_hil.rig.real.keys import desk_of
from strapline_hil.rig.real.lanes import Lane
from strapline_hil.rig.real.sniffer import LiveSniffer
from strapline_hil.rig.real.turns import Ports
from strapline_hil.rig.rig import Rig
from strapline_simulator.chain import Desk
from strapline_tag import bench, outputs

T = TypeVar("T")

Ask = Callable[[str], object]
"""Asks a person for something and returns when it is done."""

KEY_FILE = "electronic-key.bin"

_LATE_S = 2.0
_FOREVER = 1 << 62
_STILL_C = {"skin_centi_c": 3300, "ambient_centi_c": 2200}
_UNHURRIED = ("strap", "supply")
"""What is set at the start and now and then, without a step of the scenario."""


class RealDut:
    """A `Dut` that says nothing on a line: what it has to say, the base station hears."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def request(self, message: bytes) -> list[bytes]:
        code = message[0]
        if code == bench.MEASURE:
            return [bytes([bench.MEASURED]) + message[1:9] + json.dumps({}).encode(), *self.answer()]
        if code == bench.BOOT:  # its receiver starts with it, and whether it listens only it knows
            return [struct.pack(">BQBB", bench.OUTPUT, 0, outputs.GNSS_POWER, 1), *self.answer()]
        return self.answer()

    def arrive(self, now_ms: int) -> None:
        """Its time is its own."""

    def answer(self) -> list[bytes]:
        return [struct.pack(">BQQ", bench.DONE, 0, _FOREVER)]

    def lose_power(self) -> None:
        """It notices by itself."""

    def close(self) -> None:
        """It stays as it is."""


class RealBody(RigBody):
    """Deeds go to the instruments' threads, and the base station goes on meanwhile.

    What this rig has no instrument for is left out: what a scenario cannot do without is looked at before.
    """

    def __init__(self, rig: Rig, desk: Desk, ports: Ports, clock: Clock = time.monotonic) -> None:
        super().__init__(rig, RealDut(f"tag {desk.tag}"), f"rig:{rig.file.path}")
        self.desk = desk
        self.asked: list[tuple[float, float]] = []
        """When a person was asked for something, and when it was done, by `clock`."""
        self._ports = ports
        self._clock = clock
        self._hands, self._warmth, self._receiver = Lane("rig"), Lane("heat"), Lane("gnss")
        self._wanted = dict(_STILL_C)

    def be_punctual(self) -> None:
        """From now on a deed that comes late is the rig's failure: it would be taken for the tag's slowness."""
        for lane in (self._hands, self._receiver):
            lane.late_s = _LATE_S

    def act(self, deed: Callable[[], T]) -> T:
        """A test's own deed, waited for."""
        return self._hands.act(deed)

    def raise_failure(self) -> None:
        """Of what was done since the last time."""
        for lane in (self._hands, self._warmth, self._receiver):
            lane.raise_failure()

    def lose_power(self) -> None:
        if self.rig.has("supply"):
            self._hands.soon("the power cut", self.rig.supply.off)

    def close(self) -> None:
        self._ports.end()
        for lane in (self._hands, self._warmth, self._receiver):
            lane.close()
        super().close()

    def _power(self, *, is_first: bool) -> None:
        """A session begins with a start, where there is a supply to start it by."""
        power = super()._power

        def start() -> None:
            if is_first and self.rig.has("supply"):
                self.rig.supply.off()
            power(is_first=is_first)

        self._hands.patiently(start)

    def _act(self, code: int, rest: bytes) -> None:
        role = self._role(code, rest)
        assert role is not None
        if role == "heat":
            self._follow(bench.SENSORS[rest[0]], struct.unpack_from(">i", rest, 1)[0])
            return
        act = super()._act

        def deed() -> None:
            self._timed(role, lambda: act(code, rest))

        if role == "gnss":
            self._receiver.soon("the receiver", lambda: act(code, rest))
        elif code == bench.SENSOR and role in _UNHURRIED:
            self._hands.patiently(deed)
        else:
            self._hands.soon(f"the {role}", deed)

    def _timed(self, role: str, deed: Callable[[], None]) -> None:
        asked_s = self._clock()
        deed()
        if self.rig.file.instruments[role].driver == "by-hand":
            self.asked.append((asked_s, self._clock()))

    def _follow(self, sensor: str, centi_c: int) -> None:
        """Warmth comes when it comes, and what was wanted before that is of no interest any more."""
        self._wanted[sensor] = centi_c
        skin, ambient = self._wanted["skin_centi_c"], self._wanted["ambient_centi_c"]
        self._warmth.newest(lambda: self.rig.heat.set(skin, ambient))


def on_a_desk(file: RigFile, ask: Ask, sleep: Callable[[float], object] = time.sleep) -> Surroundings:
    """What the drivers of a real rig take from where they are."""
    folder = Path(file.path).parent.resolve()
    key_file = folder / KEY_FILE
    return Surroundings(
        folder=folder,
        make_sniffer=lambda part: LiveSniffer(lambda heard: BleakScanner(heard, bluez={"adapter": part.adapter})),
        make_hand=lambda: OfficersHand(key_file, ask),
        ask=ask,
        sleep=sleep,
    )


def open_real(file: RigFile, ask: Ask = ask_at_terminal) -> RealBody:
    """The rig's instruments and its tag. Raises `BenchError` where one does not answer, `UserError` for its keys."""
    desk, ports = desk_of(file), Ports(file)
    opened = ports.guard(open_instruments(file, on_a_desk(file, ask, ports.rest)))
    return RealBody(Rig(file, opened.instruments, opened.resources), desk, ports)
