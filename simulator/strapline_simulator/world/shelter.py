"""What stands around the tag and takes signals away: how much of each, and how suddenly."""

from typing import NamedTuple

NO_CELL_DBM = -125
"""Below it a modem has no cell: LTE-M with coverage enhancement ends near there (3GPP TS 36.133)."""

STREET_DBM = -85
STEP_S = 2.0


class Shelter(NamedTuple):
    """`sky` as in `SKIES`; the cell's level at their heart, and how long it takes to fall to it; what Bluetooth loses."""

    sky: str
    cell_dbm: int
    fall_s: float
    ble_db: float


SHELTERS: dict[str, Shelter] = {
    "street": Shelter("open", STREET_DBM, 4, 0),
    "indoors": Shelter("indoors", -100, 10, 0),  # ITU-R P.2109: a traditional building takes about 15 dB
    "lift": Shelter("none", -140, 2, 30),  # the doors close; rides last minutes at most
    "metro": Shelter("none", -108, 40, 0),  # cells along the line, none above
    "car_park": Shelter("none", -140, 60, 0),  # down the ramp
    "bath": Shelter("indoors", -106, 6, 45),  # water and cast iron around a limb
    "foil": Shelter("none", -140, 0, 60),
}


class Cell:
    """The cell's level at the tag, which goes evenly from one shelter's to the next one's."""

    def __init__(self) -> None:
        self._from = self._to = STREET_DBM
        self._since = self._until = 0.0

    def go(self, now: float, to_dbm: int, fall_s: float) -> None:
        self._from, self._to = self.dbm(now), to_dbm
        self._since, self._until = now, now + fall_s

    def dbm(self, now: float) -> int:
        if now >= self._until:
            return self._to
        return round(self._from + (self._to - self._from) * (now - self._since) / (self._until - self._since))

    def settled(self, now: float) -> bool:
        return now >= self._until
