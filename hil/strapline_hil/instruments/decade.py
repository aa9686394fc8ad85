"""A strap loop of any resistance: resistors in series, each put in by a relay channel that is closed at rest."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import combinations

from strapline_hil.instruments.protocols import Relays
from strapline_hil.verdict import BenchError, RigError

_TOLERANCE = 0.10
_SENSE_TOLERANCE = 0.15


class StrapDecade:
    """A `Strap`. At rest, and without power, the loop is closed and has `base_ohm`."""

    def __init__(
        self,
        relays: Relays,
        *,
        open_channel: int,
        steps: Mapping[int, int],
        base_ohm: int,
        at_rest_ohm: int = 1000,
        sense: Callable[[], float] | None = None,
        name: str = "strap decade",
    ) -> None:
        """`steps`: what each channel puts in, in ohm; `sense`: the loop measured by another instrument."""
        self.name = name
        self._relays = relays
        self._open_channel = open_channel
        self._steps = dict(steps)
        self._base_ohm = base_ohm
        self._sense = sense
        self._ohm = base_ohm
        self.set_ohm(at_rest_ohm)

    @property
    def ohm(self) -> int:
        """What is in the loop while it is closed."""
        return self._ohm

    def cut(self) -> None:
        self._relays.set(self._open_channel, True)
        self._verify(is_open=True)

    def mend(self) -> None:
        self._relays.set(self._open_channel, False)
        self._verify(is_open=False)

    def set_ohm(self, ohm: int) -> None:
        chosen = min(self._choices(), key=lambda channels: (abs(self._sum(channels) - ohm), len(channels)))
        if abs(self._sum(chosen) - ohm) > _TOLERANCE * ohm:
            most = self._base_ohm + sum(self._steps.values())
            raise RigError(
                self.name, f"cannot make {ohm} Ω (from {self._base_ohm} to {most} Ω)", "put other resistors in"
            )
        for channel in self._steps:
            self._relays.set(channel, channel in chosen)
        self._ohm = self._sum(chosen)
        if not self._relays.states()[self._open_channel]:
            self._verify(is_open=False)

    def check(self) -> list[str]:
        try:
            is_open = self._relays.states()[self._open_channel]
            self._verify(is_open=is_open)
        except BenchError as error:
            return [str(error)]
        return []

    def close(self) -> None:
        with suppress(BenchError):  # it is the end, and the board has gone
            for channel in (self._open_channel, *self._steps):
                self._relays.set(channel, False)

    def _choices(self) -> list[tuple[int, ...]]:
        return [chosen for size in range(len(self._steps) + 1) for chosen in combinations(self._steps, size)]

    def _sum(self, channels: tuple[int, ...]) -> int:
        return self._base_ohm + sum(self._steps[channel] for channel in channels)

    def _verify(self, *, is_open: bool) -> None:
        if self._sense is None:
            return
        measured = self._sense()
        if measured > 10 * self._ohm if is_open else abs(measured - self._ohm) <= _SENSE_TOLERANCE * self._ohm:
            return
        told = "open" if is_open else f"{self._ohm} Ω"
        raise RigError(
            self.name,
            f"the loop should be {told} and measures {measured:.0f} Ω",
            "a relay is stuck or a wire is off: listen for the click, then measure the loop by hand",
        )
