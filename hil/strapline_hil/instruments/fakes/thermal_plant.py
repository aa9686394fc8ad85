"""A heater with its sensor: where full power holds it, how fast it gets there, and what its MAX30205 then says."""

import math
from collections.abc import Callable
from time import monotonic

from strapline_hil.instruments.bench_wiring import HeaterWiring
from strapline_simulator.board.chips.max30205 import Max30205
from strapline_simulator.board.circuit import Circuit

_FULL_DUTY = 65_535
_CONVERSION_MS = 1100


class Plant:
    """`tau_s` of nothing: at its temperature at once."""

    def __init__(
        self,
        wiring: HeaterWiring,
        on_change: Callable[[int], None],
        tau_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._wiring = wiring
        self._on_change = on_change
        self._tau_s = tau_s
        self._clock = clock
        self._circuit = Circuit()
        self._chip = Max30205(self._circuit, wiring.room_centi_c)
        self._from = self._to = float(wiring.room_centi_c)
        self._since = clock()
        self._duty, self._is_cold = 0, False
        self._told = wiring.room_centi_c

    def drive(self, duty: int) -> None:
        """Signed: below nothing it cools."""
        self._duty = duty
        self._aim()

    def set_cold(self, *, cold: bool) -> None:
        """A wire is off, and no current flows."""
        if cold is not self._is_cold:
            self._is_cold = cold
            self._aim()

    def centi_c(self) -> int:
        now = round(self._now())
        if now != self._told:
            self._told = now
            self._on_change(now)
        return now

    def transfer(self, data: bytes, size: int) -> bytes:
        """The sensor's bus, after a conversion."""
        self._chip.centi_c = self.centi_c()
        self._circuit.now += _CONVERSION_MS
        self._circuit.run_due()
        return self._chip.transfer(data, size)

    def _aim(self) -> None:
        duty = 0 if self._is_cold else self._duty
        self._from, self._since = self._now(), self._clock()
        self._to = self._wiring.room_centi_c + duty * self._wiring.span_centi_k / _FULL_DUTY
        self.centi_c()

    def _now(self) -> float:
        if not self._tau_s:
            return self._to
        return self._to + (self._from - self._to) * math.exp((self._since - self._clock()) / self._tau_s)

    def ntc_u16(self, above_ohm: int, r25_ohm: int, beta: int) -> int:
        """What an ADC reads of a thermistor in its place."""
        ohm = r25_ohm * math.exp(beta * (1 / (273.15 + self.centi_c() / 100) - 1 / 298.15))
        return round(_FULL_DUTY * ohm / (above_ohm + ohm))
