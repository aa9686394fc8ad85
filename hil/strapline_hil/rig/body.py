"""A target on a rig, behind the messages of the bench program: what the world does to a tag, the instruments do."""

import struct
from typing import Protocol

from strapline_hil.rig.rig import Rig
from strapline_protocol.errors import UserError
from strapline_tag import bench

_OPEN_OHM = 100_000
"""A loop of more is an open strap: its edge does that."""

_CONTACTS = ("charging", "case_open", "immersed")
_HEAT = ("skin_centi_c", "ambient_centi_c")
_OF_THE_GAUGE = "battery_percent"
"""No instrument sets it: the tag's own gauge tells it from the voltage."""

_STILL_C = (3300, 2200)


class Dut(Protocol):
    """The device under test, without what is around it."""

    identity: str

    def request(self, message: bytes) -> list[bytes]:
        """A message that is no stimulus, or one that no instrument stands for."""

    def arrive(self, now_ms: int) -> None:
        """Its time goes on to here, before something is done to it."""

    def answer(self) -> list[bytes]:
        """What it said to what was done; the last is DONE."""

    def close(self) -> None: ...


class RigBody:
    """A `Body`."""

    def __init__(self, rig: Rig, dut: Dut, name: str) -> None:
        self.rig = rig
        self.name = name
        self.identity = dut.identity
        self._dut = dut
        self._heat = dict(zip(_HEAT, _STILL_C, strict=True))

    def request(self, message: bytes) -> list[bytes]:
        code, now_ms = struct.unpack_from(">BQ", message)
        rest = message[9:]
        if not self._is_ours(code, rest):
            return self._dut.request(message)
        self._dut.arrive(now_ms)
        self._act(code, rest)
        return self._dut.answer()

    def close(self) -> None:
        self.rig.close()
        self._dut.close()

    def _is_ours(self, code: int, rest: bytes) -> bool:
        if code == bench.SENSOR:
            sensor = bench.SENSORS[rest[0]]
            if sensor == "faults":
                raise UserError(f"--on {self.name}: no rig breaks a chip; run this scenario on model or virtual")
            return sensor in (*_CONTACTS, *_HEAT, _OF_THE_GAUGE, "strap_ohm", "battery_mv")
        return code in (bench.STRAP_EDGE, bench.GNSS, bench.MOTION, bench.BUTTON, bench.KEY)

    def _act(self, code: int, rest: bytes) -> None:
        rig = self.rig
        if code == bench.SENSOR:
            self._sense(bench.SENSORS[rest[0]], struct.unpack_from(">i", rest, 1)[0])
        elif code == bench.STRAP_EDGE:
            (rig.strap.cut if rest[0] else rig.strap.mend)()
        elif code == bench.GNSS:
            rig.gnss.send(rest)
        elif code == bench.MOTION:
            rig.motion.play(rest[0], rest[1:])
        elif code == bench.BUTTON:
            rig.contacts.set("button", on=bool(rest[0]))
        elif code == bench.KEY:
            rig.hand.present_key(rest)

    def _sense(self, sensor: str, value: int) -> None:
        rig = self.rig
        if sensor == "strap_ohm" and value < _OPEN_OHM:
            rig.strap.set_ohm(value)
        elif sensor in _HEAT:
            self._heat[sensor] = value
            rig.heat.set(self._heat["skin_centi_c"], self._heat["ambient_centi_c"])
        elif sensor in _CONTACTS:
            rig.contacts.set(sensor, on=bool(value))
        elif sensor == "battery_mv":
            rig.supply.set_mv(value)
