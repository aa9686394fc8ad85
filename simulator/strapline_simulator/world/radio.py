"""How strong one node hears another: log-distance path loss, what stands between, a little fading, and a floor of hearing."""

import math
from collections.abc import Callable
from random import Random

from strapline_simulator.world.rooms import BODY_DB, ROOMS
from strapline_simulator.world.wearer import Point, distance_m

RSSI_AT_1_M_DBM = -60.0
"""0 dBm transmitted by a small antenna on a limb, received by a USB adapter; as measured for BLE wearables."""

PATH_LOSS_EXPONENT = 2.2
"""Line of sight in a flat: ITU-R P.1238 gives 2.0 to 2.8 for residential rooms near 2.4 GHz."""

FADING_DB = 2.0
SENSITIVITY_DBM = -96
"""Typical receiver sensitivity at 1 Mbit/s: with these numbers a tag is heard up to some 45 m."""


SNR_DB = 10.0
"""What a receiver of GFSK at 1 Mbit/s needs; Bluetooth asks for 21 dB against a co-channel signal like its own."""

TAG_NODE = "tag"


class RadioWorld:
    """Where the nodes are. A node that was never placed is nowhere."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._where: dict[str, Callable[[], Point]] = {}
        self.noise_dbm: float | None = None
        """What covers the band at home; nobody there hears what is not well above it."""
        self.damping_db = 0.0
        """What stands around the tag takes this from its every signal."""
        self._room_db = self._body_db = 0.0
        self._least_m = 1.0

    def place(self, node: str, where: Callable[[], Point]) -> None:
        self._where[node] = where

    def go_to_room(self, name: str) -> None:
        """The tag is in this room of `ROOMS`, while it is at home."""
        room = ROOMS[name]
        self._room_db, self._least_m = room.loss_db, room.metres

    def put_body_between(self, how: bool | str) -> None:
        """The wearer's body is in the way: a key of `BODY_DB`."""
        self._body_db = BODY_DB[how]

    def rssi_dbm(self, a: str, b: str) -> int | None:
        """What `b` measures of one event of `a`, or None out of reach."""
        level = self.level_dbm(a, b)
        if level is None:
            return None
        rssi = round(level + self._random.gauss(0, FADING_DB))
        return rssi if rssi >= self._floor_dbm() else None

    def reaches(self, a: str, b: str) -> bool:
        """Whether a connection between them holds: it hops over channels and repeats, so that fading does not end it."""
        level = self.level_dbm(a, b)
        return level is not None and level >= self._floor_dbm()

    def level_dbm(self, a: str, b: str) -> float | None:
        """What `b` receives of `a` on average, however little; None if either is nowhere."""
        if a not in self._where or b not in self._where:
            return None
        here, there = self._where[a](), self._where[b]()
        metres = 0.0 if here == there else distance_m(here, there)
        if TAG_NODE not in (a, b):
            return _after(max(metres, 1.0))
        return _after(max(metres, self._least_m)) - self.damping_db - self._room_db - self._body_db

    def _floor_dbm(self) -> float:
        return SENSITIVITY_DBM if self.noise_dbm is None else max(SENSITIVITY_DBM, self.noise_dbm + SNR_DB)


def _after(metres: float) -> float:
    return RSSI_AT_1_M_DBM - 10 * PATH_LOSS_EXPONENT * math.log10(metres)
