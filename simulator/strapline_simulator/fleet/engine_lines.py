"""Byte streams between tags and stations: connections over Bluetooth and over the cellular network, each with its delay."""

from collections import deque
from typing import Protocol

from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.world.cellular import DIAL_S, LATENCY_S, NO_COVERAGE_S, RING_S
from strapline_simulator.world.shelter import NO_CELL_DBM
from strapline_tag import outputs as out

BLE_LATENCY_MS = 30
"""One connection interval, as bleak's clients get from most hosts."""

CONNECT_LIMIT_MS = 15_000
"""As the gateway's BLE link has it."""

SUPERVISION_MS = 4_000
"""Silence after which either end takes a connection over Bluetooth for lost."""

_CELL_LATENCY_MS = round(LATENCY_S * 1000)


class Far(Protocol):
    """The station's end of lines."""

    is_on: bool

    def reaches(self, unit: TagUnit) -> bool: ...

    def open_line(self, line: "Line", called: str | None) -> int: ...

    def line_data(self, line: "Line", data: bytes) -> None: ...

    def line_closed(self, line: "Line") -> None: ...


class Line:
    """One connection between a tag and a station; both ends lose it at the same moment."""

    __slots__ = ("base", "bearer", "down", "is_open", "latency_ms", "number", "unit", "up")

    def __init__(self, base: Far, unit: TagUnit, bearer: int) -> None:
        self.base = base
        self.unit = unit
        self.bearer = bearer
        self.latency_ms = BLE_LATENCY_MS if bearer == out.BLE else _CELL_LATENCY_MS
        self.up: deque[bytes] = deque()
        """Towards the station."""
        self.down: deque[bytes] = deque()
        self.is_open = True
        called = unit.ident if bearer == out.BLE else None
        self.number = base.open_line(self, called)
        unit.lines[bearer] = self
        unit.feed(unit.tag.feed_link_up, bearer)

    @property
    def agenda(self) -> Agenda:
        return self.unit.agenda

    def _carries(self) -> bool:
        """Whether the medium takes something now; a connection out of reach dies after its supervision time-out."""
        if self.bearer == out.CELLULAR or self.base.reaches(self.unit):
            return True
        self.agenda.after(SUPERVISION_MS, self._lost)
        return False

    def from_tag(self, data: bytes) -> None:
        if self.is_open and self._carries():
            self.up.append(data)
            self.agenda.after(self.latency_ms, self._arrive_up)

    def to_tag(self, data: bytes) -> None:
        if self.is_open and self._carries():
            self.down.append(data)
            self.agenda.after(self.latency_ms, self._arrive_down)

    def _arrive_up(self, _nothing: None) -> None:
        if self.is_open:
            self.base.line_data(self, self.up.popleft())

    def _arrive_down(self, _nothing: None) -> None:
        if self.is_open:
            self.unit.feed(self.unit.tag.feed_link, self.bearer, self.down.popleft())

    def _lost(self, _nothing: None) -> None:
        self.end()

    def end(self) -> None:
        """Whoever ended it."""
        if self.is_open:
            self.is_open = False
            del self.unit.lines[self.bearer]
            self.base.line_closed(self)
            self.unit.feed(self.unit.tag.feed_link_down, self.bearer)
            if self.unit.on_spoken is not None:
                self.unit.on_spoken(self.unit)


class Modem:
    """One tag's modem and the network behind it, as `world.cellular` has it."""

    __slots__ = ("_ring_waits", "base", "unit")

    def __init__(self, base: Far, unit: TagUnit) -> None:
        self.base = base
        self.unit = unit
        self._ring_waits = False

    @property
    def covered(self) -> bool:
        return self.unit.wearer.coverage.dbm(self.unit.agenda.now_ms / 1000) > NO_CELL_DBM

    def dial(self) -> None:
        wait_s = DIAL_S if self.covered else NO_COVERAGE_S
        self.unit.agenda.after(round(wait_s * 1000), self._dialled)

    def _dialled(self, _nothing: None) -> None:
        if not self.covered or out.CELLULAR in self.unit.lines:
            self.unit.feed(self.unit.tag.feed_link_down, out.CELLULAR)
            return
        Line(self.base, self.unit, out.CELLULAR)

    def look(self, _nothing: None = None) -> None:
        """The coverage has changed: a standing connection dies without it, and a page that waits comes with it."""
        if not self.covered:
            if (line := self.unit.lines.get(out.CELLULAR)) is not None:
                line.end()
        elif self._ring_waits:
            self.ring()

    def ring(self) -> None:
        """Page it; the network keeps that until there is coverage."""
        self._ring_waits = True
        self.unit.agenda.after(round(RING_S * 1000), self._rung)

    def _rung(self, _nothing: None) -> None:
        if self._ring_waits and self.covered:
            self._ring_waits = False
            self.unit.feed(self.unit.tag.feed_ring)
