"""The tag's strap loop behind relay channels: opened, bypassed by a resistor across it, lengthened by one in series."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from time import sleep

from strapline_hil.instruments.protocols import Relays
from strapline_hil.verdict import BenchError, RigError

CHANNELS: Mapping[str, int] = {"open": 1, "bypass": 2, "lengthen": 3}
LOOPS: Mapping[str, int] = {"closed": 1000, "bypass": 180, "lengthen": 2500}
_TOLERANCE = 0.10
_SENSE_TOLERANCE = 0.15
_OPEN_OHM = 10_000
"""From there on the tag calls the strap open (`strap_open_ohm`, docs/scenarios.md)."""
_LOOKS = 3

Sense = Callable[[], float]
"""The loop's resistance in ohm by a second instrument; `math.inf` where it is open."""


class StrapLoop(ABC):
    """A loop that one relay channel opens. With `sense` each move is measured, and a stuck relay found."""

    def __init__(self, relays: Relays, open_channel: int, sense: Sense | None, name: str, settle_s: float) -> None:
        self.name = name
        self._relays = relays
        self._open_channel = open_channel
        self._sense = sense
        self._settle_s = settle_s
        self._is_open = False

    @property
    @abstractmethod
    def closed_ohm(self) -> int:
        """What the loop should measure while it is closed."""

    @property
    def ohm(self) -> float:
        """What the loop should measure."""
        return math.inf if self._is_open else self.closed_ohm

    @property
    def state(self) -> str:
        return "open" if self._is_open else "closed"

    def cut(self) -> None:
        self._move(is_open=True)

    def mend(self) -> None:
        self._move(is_open=False)

    @abstractmethod
    def set_ohm(self, ohm: int) -> None: ...

    @abstractmethod
    def loops_ohm(self) -> list[int]:
        """What `try_out` closes."""

    def check(self) -> list[str]:
        """Looks, and moves nothing."""
        try:
            states = self._relays.states()
            self._verify()
        except RigError as error:
            return [str(error)]
        missing = self._used_channels() - states.keys()
        return [f"{self.name}: no relay channel {channel}" for channel in sorted(missing)]

    def try_out(self) -> list[str]:
        """Open, and every loop closed, then as it was: a worn tag would report it. What is found wrong."""
        before_ohm, was_open = self.closed_ohm, self._is_open
        moves: list[Callable[[], None]] = [self.cut, self.mend]
        moves += [lambda ohm=ohm: self.set_ohm(ohm) for ohm in [*self.loops_ohm(), before_ohm]]  # type: ignore[misc]
        moves.append(self.cut if was_open else self.mend)
        return [finding for move in moves if (finding := _finding(move))]

    def blind_spots(self) -> list[str]:
        if self._sense is not None:
            return []
        return [f"{self.name}: nothing measures the loop, so a stuck relay looks like a tag that does not notice"]

    def close(self) -> None:
        """As it is without power: closed, and nothing in the loop."""
        with suppress(BenchError):  # it is the end, and the board has gone
            for channel in self._used_channels():
                self._relays.set(channel, False)
        self._is_open = False

    def _used_channels(self) -> set[int]:
        return {self._open_channel}

    def _move(self, *, is_open: bool) -> None:
        self._is_open = is_open
        self._relays.set(self._open_channel, is_open)
        self._verify()

    def _verify(self) -> None:
        if self._sense is None:
            return
        for _ in range(_LOOKS):
            sleep(self._settle_s)
            measured = self._sense()
            if self._fits(measured):
                return
        raise RigError(
            self.name,
            f"it was told {self.state}, and the loop measures {_in_words(measured)}",
            "a relay is stuck or a wire is off: listen for the click, then measure the loop by hand",
        )

    def _fits(self, measured: float) -> bool:
        if self._is_open:
            return measured >= _OPEN_OHM
        return abs(measured - self.closed_ohm) <= _SENSE_TOLERANCE * self.closed_ohm


class StrapRelay(StrapLoop):
    """A `Strap` with as many loops as it has relays; at rest the loop is closed.

    `channels` names what there is of `open`, `bypass` and `lengthen`; `loops` says what each loop measures while it is closed.
    """

    def __init__(
        self,
        relays: Relays,
        *,
        channels: Mapping[str, int] = CHANNELS,
        loops: Mapping[str, int] = LOOPS,
        sense: Sense | None = None,
        name: str = "strap relay",
        settle_s: float = 0.02,
    ) -> None:
        if "open" not in channels or "closed" not in loops:
            raise RigError(name, "it cannot open and close the loop", "name a channel `open` and a loop `closed`")
        super().__init__(relays, channels["open"], sense, name, settle_s)
        self._channels = {loop: channel for loop, channel in channels.items() if loop in loops}
        self._loops = {loop: ohm for loop, ohm in loops.items() if loop == "closed" or loop in channels}
        self._loop = "closed"

    @property
    def closed_ohm(self) -> int:
        return self._loops[self._loop]

    @property
    def state(self) -> str:
        """`open`, or the loop that is closed: `closed`, `bypass`, `lengthen`."""
        return "open" if self._is_open else self._loop

    def loops_ohm(self) -> list[int]:
        return list(self._loops.values())

    def set_ohm(self, ohm: int) -> None:
        self._loop = self._loop_of(ohm)
        # Off before on: with two resistors in, the tag would see a resistance that nobody asked for.
        for loop in sorted(self._channels, key=lambda loop: loop == self._loop):
            self._relays.set(self._channels[loop], loop == self._loop)
        self._verify()

    def close(self) -> None:
        super().close()
        self._loop = "closed"

    def _used_channels(self) -> set[int]:
        return {self._open_channel, *self._channels.values()}

    def _loop_of(self, ohm: int) -> str:
        loop = min(self._loops, key=lambda loop: abs(self._loops[loop] - ohm))
        if abs(self._loops[loop] - ohm) <= _TOLERANCE * ohm:
            return loop
        can = ", ".join(f"{there} Ω" for there in self._loops.values())
        raise RigError(self.name, f"no loop of {ohm} Ω (it has {can})", "wire one, or use a resistance decade")


class StrapDecade(StrapLoop):
    """A `Strap` whose loop may be any resistance: `resistance` sets it, as a decade box or a digital potentiometer does.

    `tries_ohm`: what it can do, for `try_out`.
    """

    def __init__(
        self,
        relays: Relays,
        resistance: Callable[[int], None],
        *,
        open_channel: int = 1,
        closed_ohm: int = 1000,
        tries_ohm: Sequence[int] = (),
        sense: Sense | None = None,
        name: str = "strap decade",
        settle_s: float = 0.02,
    ) -> None:
        super().__init__(relays, open_channel, sense, name, settle_s)
        self._resistance = resistance
        self._rest_ohm = self._ohm = closed_ohm
        self._tries_ohm = tries_ohm

    @property
    def closed_ohm(self) -> int:
        return self._ohm

    def loops_ohm(self) -> list[int]:
        return [self._rest_ohm, *self._tries_ohm]

    def set_ohm(self, ohm: int) -> None:
        self._resistance(ohm)
        self._ohm = ohm
        self._verify()

    def close(self) -> None:
        super().close()
        with suppress(BenchError):  # it is the end, and the decade has gone
            self._resistance(self._rest_ohm)
        self._ohm = self._rest_ohm


def _finding(move: Callable[[], None]) -> str:
    try:
        move()
    except RigError as error:
        return str(error)
    return ""


def _in_words(ohm: float) -> str:
    return "open" if math.isinf(ohm) else f"{ohm:.0f} Ω"
