"""Any resistance out of a few resistors in series, each bridged by a relay's contact at rest: what a `StrapDecade` is set by."""

from collections.abc import Mapping
from itertools import combinations

from strapline_hil.instruments.protocols import Relays
from strapline_hil.verdict import RigError

_TOLERANCE = 0.10


class ResistorLadder:
    """Called with ohm, it is that within a tenth: `StrapDecade(relays, ResistorLadder(relays, steps, base_ohm=100))`."""

    def __init__(
        self, relays: Relays, steps: Mapping[int, int], *, base_ohm: int, name: str = "resistor ladder"
    ) -> None:
        """`steps`: what each channel puts in, in ohm; `base_ohm` is what stays when none does."""
        self.name = name
        self._relays = relays
        self._steps = dict(steps)
        self._base_ohm = base_ohm

    @property
    def ends_ohm(self) -> tuple[int, int]:
        """With no resistor in, and with all of them."""
        return self._base_ohm, self._base_ohm + sum(self._steps.values())

    def __call__(self, ohm: int) -> None:
        chosen = min(self._choices(), key=lambda channels: (abs(self._sum(channels) - ohm), len(channels)))
        if abs(self._sum(chosen) - ohm) > _TOLERANCE * ohm:
            least, most = self.ends_ohm
            raise RigError(self.name, f"cannot make {ohm} Ω (from {least} to {most} Ω)", "put other resistors in")
        for channel in self._steps:
            self._relays.set(channel, channel in chosen)

    def _choices(self) -> list[tuple[int, ...]]:
        return [chosen for size in range(len(self._steps) + 1) for chosen in combinations(self._steps, size)]

    def _sum(self, channels: tuple[int, ...]) -> int:
        return self._base_ohm + sum(self._steps[channel] for channel in channels)
