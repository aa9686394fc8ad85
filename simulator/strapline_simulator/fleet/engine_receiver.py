"""The simulated receiver of `world.sky`, on an agenda: NMEA sentences at 1 Hz while it has power."""

from collections.abc import Callable
from datetime import datetime
from random import Random

from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.world.sky import COLD_START_S, HOT_START_S, SKIES, Receiver
from strapline_simulator.world.wearer import Point

_EPHEMERIS_S = 2 * 3600.0
"""As in `world.sky`: after a longer rest the start is cold again."""

_NEVER_MS = 1 << 62


class AgendaReceiver(Receiver):
    """Of one tag."""

    def __init__(self, unit: TagUnit, utc: Callable[[], datetime], random: Random) -> None:
        agenda, wearer = unit.agenda, unit.wearer

        def where() -> Point:
            return Point(*wearer.path.at(agenda.now_ms / 1000))

        super().__init__(utc, where, lambda data: unit.feed(unit.tag.feed_gnss, data), random)
        self._unit = unit
        self._power_number = 0
        self._is_skipping = False
        self._powered_s = 0.0
        self._fixed_s = float("-inf")
        self.speed_m_s = lambda: max(0.2, wearer.path.speed_m_s(agenda.now_ms / 1000))

    def power(self, on: bool) -> None:
        agenda = self._unit.agenda
        self._power_number += 1
        self._powered_s = agenda.now_ms / 1000
        self._is_skipping = False
        if on:
            self._next_second()

    def first_fix_ms(self) -> int:
        """No earlier than that it tells a position, unless the sky changes."""
        need_s = self._start_s() * SKIES[self._unit.wearer.sky].slower
        return _NEVER_MS if need_s == float("inf") else int((self._powered_s + need_s) * 1000)

    def _start_s(self) -> float:
        return HOT_START_S if self._unit.agenda.now_ms / 1000 - self._fixed_s < _EPHEMERIS_S else COLD_START_S

    def resume(self) -> None:
        """The tag is no longer folded: it is told again that there is no position yet."""
        if self._is_skipping:
            self._is_skipping = False
            self._next_second()

    def _next_second(self) -> None:
        agenda = self._unit.agenda
        agenda.at((agenda.now_ms // 1000 + 1) * 1000, self._speak, self._power_number)

    def _speak(self, number: int) -> None:
        if number != self._power_number:
            return
        agenda, self.sky = self._unit.agenda, self._unit.wearer.sky
        now_s = agenda.now_ms / 1000
        has_fix = now_s - self._powered_s >= self._start_s() * SKIES[self.sky].slower
        if not has_fix and self._unit.folded is not None:
            self._is_skipping = True
            return
        if has_fix:
            self._fixed_s = now_s
        self._next_second()
        self._emit(self._sentences(has_fix, now_s))
