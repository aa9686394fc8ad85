"""What the tag's two temperature sensors lie on, warmed or cooled by a bench board until it is measured there."""

from collections.abc import Callable
from contextlib import suppress
from time import sleep

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.verdict import BenchError, RigError

SETTLED_CENTI_K = 20
LIMIT_S = 600.0
_COLDEST, _HOTTEST = -1000, 6000


class Heater:
    """A `Heat`. Both are set, then both are waited for; between two looks it sleeps, which keeps the board's watchdog fed."""

    def __init__(
        self,
        board: BenchBoard,
        *,
        skin: str = "skin",
        ambient: str = "ambient",
        name: str = "heater",
        limit_s: float = LIMIT_S,
        look_every_s: float = 1.0,
        sleep: Callable[[float], object] = sleep,
    ) -> None:
        """`skin` and `ambient`: the board's heaters by their names in its wiring."""
        self.name = name
        self._board = board
        self._names = skin, ambient
        self._limit_s, self._look_every_s = limit_s, look_every_s
        self._sleep = sleep

    def set(self, skin_centi_c: int, ambient_centi_c: int) -> None:
        targets = dict(zip(self._names, (skin_centi_c, ambient_centi_c), strict=True))
        for heater, target in targets.items():
            self._board.warm(heater, target)
        looks = round(self._limit_s / self._look_every_s)
        for heater, target in targets.items():
            looks = self._wait(heater, target, looks)

    def measured(self) -> tuple[int, int]:
        """Skin and ambient, in 0.01 °C."""
        skin, ambient = self._names
        return self._board.temperature(skin), self._board.temperature(ambient)

    def off(self) -> None:
        for heater in self._names:
            self._board.warm(heater, None)

    def check(self) -> list[str]:
        try:
            measured = self.measured()
        except BenchError as error:
            return [str(error)]
        return [
            f"{self.name}: {heater} measures {centi_c / 100:.1f} °C; look at its sensor"
            for heater, centi_c in zip(self._names, measured, strict=True)
            if not _COLDEST < centi_c < _HOTTEST
        ]

    def blind_spots(self) -> list[str]:
        return [
            f"{self.name}: it measures its own sensors; a tag that does not lie on them looks like one that does not notice"
        ]

    def close(self) -> None:
        """Off; the board's own end does the same, for what it still reaches."""
        with suppress(BenchError):  # it is the end, and the board has gone
            self.off()

    def _wait(self, heater: str, target: int, looks: int) -> int:
        """Until it is measured there; gives how many looks are left."""
        while abs((measured := self._board.temperature(heater)) - target) > SETTLED_CENTI_K:
            if looks <= 0:
                raise RigError(
                    self.name,
                    f"{heater} was set to {target / 100:.1f} °C and is at {measured / 100:.1f} after {self._limit_s:g} s",
                    "look at the heater's wires and supply, and whether its sensor lies on it",
                )
            self._sleep(self._look_every_s)
            looks -= 1
        return looks
