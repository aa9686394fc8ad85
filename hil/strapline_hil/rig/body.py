"""A target on a rig, behind the messages of the bench program: what the world does to a tag, the instruments do."""

import json
import struct
from collections.abc import Callable
from typing import Protocol

from strapline_hil.rig.needs import beyond_any_rig, needs_of
from strapline_hil.rig.rig import Rig
from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Scenario
from strapline_simulator.world.battery import milli_volts
from strapline_tag import bench

_OPEN_OHM = 100_000
"""A loop of more is an open strap."""

_HEAT = ("skin_centi_c", "ambient_centi_c")
_OF_THE_GAUGE = "battery_percent"
"""No instrument sets it: the tag's own gauge reckons it from the voltage."""

_STILL_C = (3300, 2200)
_FULL_MV = milli_volts(100.0, 22.0)

_ROLES = {
    bench.STRAP_EDGE: "strap",
    bench.GNSS: "gnss",
    bench.MOTION: "motion",
    bench.BUTTON: "contacts",
    bench.KEY: "hand",
}
_SENSORS = {
    "strap_ohm": "strap",
    "skin_centi_c": "heat",
    "ambient_centi_c": "heat",
    "battery_mv": "supply",
    _OF_THE_GAUGE: "supply",
    "charging": "contacts",
    "case_open": "contacts",
    "immersed": "contacts",
}


class Dut(Protocol):
    """The device under test, without what is around it."""

    identity: str

    def request(self, message: bytes) -> list[bytes]:
        """A message that is no stimulus, or one that no instrument stands for."""

    def arrive(self, now_ms: int) -> None:
        """Its time goes on to here, before something is done to it."""

    def answer(self) -> list[bytes]:
        """What it said to what was done; the last is DONE."""

    def lose_power(self) -> None:
        """Told that it has none, until the next BOOT."""

    def close(self) -> None: ...


class RigBody:
    """A `Body`. What the rig has no instrument for is left to the target: a virtual one feels it, a real one is where it is."""

    motion_portion = 6 * 25 * 60
    """Bytes of motion at once: a shaker that is given more forgets what it has not yet done."""

    def __init__(self, rig: Rig, dut: Dut, name: str, close: Callable[[], None] = lambda: None) -> None:
        """`close`: what else ends with it."""
        self.rig = rig
        self.name = name
        self.identity = dut.identity
        self._dut = dut
        self._close = close
        self._is_open = False
        self._heat = dict(zip(_HEAT, _STILL_C, strict=True))

    def require(self, scenario: Scenario) -> None:
        """Raises `UserError` where this rig cannot do what the scenario does to a tag."""
        if beyond := beyond_any_rig(scenario):
            raise UserError(f"{scenario.name}: no rig does {', '.join(sorted(beyond))}; run it on model or virtual")
        if lacking := needs_of(scenario) - self.rig.drivers:
            raise UserError(
                f"{scenario.name}: rig {self.rig.name} has no {', '.join(sorted(lacking))}; "
                f"add it to `instruments` in {self.rig.file.path}"
            )

    def request(self, message: bytes) -> list[bytes]:
        code, now_ms = struct.unpack_from(">BQ", message)
        rest = message[9:]
        if code == bench.BOOT:
            self._power(is_first="memory" in json.loads(rest))
        role = self._role(code, rest)
        if role is None or not self.rig.has(role):
            return self._dut.request(message)
        self._dut.arrive(now_ms)
        self._act(code, rest)
        return self._dut.answer()

    def lose_power(self) -> None:
        if self.rig.has("supply"):
            self.rig.supply.off()
        self._dut.lose_power()

    def close(self) -> None:
        self.rig.close()
        self._dut.close()
        self._close()

    @property
    def serial_log(self) -> str:
        """What the board has printed; empty where nobody listens."""
        return str(getattr(self._dut, "serial_log", ""))

    def _power(self, *, is_first: bool) -> None:
        """A tag on a supply starts because its power comes."""
        if not self.rig.has("supply"):
            return
        if is_first:
            self.rig.supply.set_mv(_FULL_MV)
        self.rig.supply.on()

    def _role(self, code: int, rest: bytes) -> str | None:
        if code != bench.SENSOR:
            return _ROLES.get(code)
        sensor = bench.SENSORS[rest[0]]
        if sensor == "faults":
            raise UserError(f"--on {self.name}: no rig breaks a chip; run this scenario on model or virtual")
        return _SENSORS.get(sensor)

    def _act(self, code: int, rest: bytes) -> None:
        rig = self.rig
        if code == bench.SENSOR:
            self._sense(bench.SENSORS[rest[0]], struct.unpack_from(">i", rest, 1)[0])
        elif code == bench.STRAP_EDGE:
            self._open_strap(is_open=bool(rest[0]))
        elif code == bench.GNSS:
            rig.gnss.send(rest)
        elif code == bench.MOTION:
            rig.motion.play(rest[0], rest[1:])
        elif code == bench.BUTTON:
            rig.contacts.set("button", on=bool(rest[0]))
        elif code == bench.KEY:
            rig.hand.present_key(rest)

    def _open_strap(self, *, is_open: bool) -> None:
        if is_open != self._is_open:
            self._is_open = is_open
            (self.rig.strap.cut if is_open else self.rig.strap.mend)()

    def _sense(self, sensor: str, value: int) -> None:
        rig = self.rig
        if sensor == "strap_ohm":
            if value < _OPEN_OHM:
                rig.strap.set_ohm(value)
            # A tag without power is told of no edge, and its strap is cut all the same.
            self._open_strap(is_open=value >= _OPEN_OHM)
        elif sensor in _HEAT:
            self._heat[sensor] = value
            rig.heat.set(self._heat["skin_centi_c"], self._heat["ambient_centi_c"])
        elif sensor == "battery_mv":
            rig.supply.set_mv(value)
        elif sensor != _OF_THE_GAUGE:
            rig.contacts.set(sensor, on=bool(value))
