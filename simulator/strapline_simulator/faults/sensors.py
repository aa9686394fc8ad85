"""Sensors that do not say what is there: stuck, noisy, drifting. Between the world and the tag's inputs."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

BITS = {"strap": 1, "skin": 2, "ambient": 4, "motion": 8, "receiver": 16, "modem": 32, "radio": 64, "flash": 128}
"""What a body says of a part that does not answer, as `Tag.feed_faults` has it."""

INPUTS = {"strap": "strap_ohm", "skin": "skin_centi_c", "ambient": "ambient_centi_c", "battery": "battery_percent"}
"""What each measures into."""


class SensorFault(NamedTuple):
    """What is wrong with one sensor; all in the unit of its input."""

    stuck: bool = False
    reads: int | None = None
    noise: float = 0.0
    drift_per_h: float = 0.0


class Sensors:
    """Of one tag. `sense(input, value)` hands on; call `tick` every second while anything is noisy or drifts."""

    def __init__(self, sense: Callable[[str, int], None], draw: Random) -> None:
        self._sense = sense
        self._draw = draw
        self._faults: dict[str, tuple[SensorFault, float]] = {}
        self._true: dict[str, int] = {}
        self._silent = 0
        self.motion_stuck = False

    @property
    def moves(self) -> bool:
        """Whether any of them changes by itself."""
        return any(fault.noise or fault.drift_per_h for fault, _ in self._faults.values())

    def sense(self, name: str, value: int, now_s: float) -> None:
        """The world says that there is `value`."""
        self._true[name] = value
        known = self._faults.get(name)
        if known is None:
            self._sense(name, value)
        elif not known[0].stuck and known[0].reads is None:
            self._sense(name, self._wrong(name, known, now_s))

    def begin(self, sensor: str, fault: SensorFault, now_s: float) -> None:
        """From now on this is wrong with it."""
        self._faults[INPUTS[sensor]] = fault, now_s
        if fault.reads is not None:
            self._sense(INPUTS[sensor], fault.reads)

    def silence(self, sensor: str, *, silent: bool) -> None:
        """It does not answer, or does again."""
        self._silent = self._silent | BITS[sensor] if silent else self._silent & ~BITS[sensor]
        self._sense("faults", self._silent)

    def mend(self, sensor: str) -> None:
        """It says what is there."""
        if sensor in BITS:
            self.silence(sensor, silent=False)
        if sensor == "motion":
            self.motion_stuck = False
        name = INPUTS.get(sensor, "")
        if self._faults.pop(name, None) is not None and name in self._true:
            self._sense(name, self._true[name])

    def tick(self, now_s: float) -> None:
        for name, known in self._faults.items():
            if (known[0].noise or known[0].drift_per_h) and name in self._true:
                self._sense(name, self._wrong(name, known, now_s))

    def _wrong(self, name: str, known: tuple[SensorFault, float], now_s: float) -> int:
        fault, since_s = known
        drift = fault.drift_per_h * (now_s - since_s) / 3600
        value = round(self._true[name] + drift + (self._draw.gauss(0, fault.noise) if fault.noise else 0.0))
        return value if name in _BELOW_ZERO else max(0, value)


_BELOW_ZERO = ("skin_centi_c", "ambient_centi_c")
