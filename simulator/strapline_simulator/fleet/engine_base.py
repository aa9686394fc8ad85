"""A station of a home: the gateway's real one, who calls and who is called, and what it has to tell. The base station hears a radio too."""

import math
from collections import deque
from collections.abc import Callable, Iterable
from random import Random

from strapline_gateway.events import (
    Abandon,
    Connect,
    HangUp,
    Presence,
    Provisional,
    Record,
    Ring,
    TimeRequest,
    Transmit,
)
from strapline_gateway.station import Station
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.notices import Notice
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_lines import BLE_LATENCY_MS, CONNECT_LIMIT_MS, Line
from strapline_simulator.fleet.engine_post import Event, Post
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.engine_wearer import Wearer
from strapline_simulator.world.radio import (
    FADING_DB,
    PATH_LOSS_EXPONENT,
    RSSI_AT_1_M_DBM,
    SENSITIVITY_DBM,
)
from strapline_tag import outputs as out

ADVERTISEMENT_LOSS = 0.05
"""Share of advertisements that a scanning adapter misses in a quiet home."""

_COINS = 64
"""Tossed for the fading of each advertisement: how many show heads is as good as normal, and drawn in a third of the time."""

_DB_PER_COIN = FADING_DB / math.sqrt(_COINS / 4)

_SEVERAL = 3
"""From so many tags on their common silence means something (`strapline_gateway.jamming`)."""


class Base:
    """One station and its connections. `post` takes what must reach the centre."""

    def __init__(
        self,
        agenda: Agenda,
        ident: str,
        keys: Iterable[GatewayKeys],
        seed: str,
        utc_s: Callable[[], float],
        *,
        home: bool,
    ) -> None:
        self.agenda = agenda
        self.ident = ident
        self.is_on = True
        self.calls = 0
        """Connections over the radio that came about."""
        enrolled = list(keys)
        self.station = Station(
            int(ident, 16), enrolled, Random(f"{seed}/entropy-{ident}").randbytes, home=home, utc_s=utc_s
        )
        self.post: Post
        self.units: dict[str, TagUnit] = {}
        self.on_ring: Callable[[str], None] = _nobody
        self.before_timer: Callable[[float], None] = _nothing
        self._random = Random(f"{seed}/air-{ident}")
        self._is_crowd = len(enrolled) >= _SEVERAL
        self._lines: dict[int, Line] = {}
        self._calling: deque[tuple[TagUnit, str]] = deque()
        """Calls that wait for the radio, which makes one connection at a time; the first is under way."""
        self._call_number = 0
        self._armed_ms: int | None = None

    @property
    def accepted(self) -> int:
        """Heartbeats."""
        return self.station.accepted

    # The radio.

    def rssi_dbm(self, wearer: Wearer, now_s: float) -> int:
        """What this station measures of the tag, however little: the log-distance loss of `world.radio`."""
        mean = wearer.mean_dbm if now_s >= wearer.settles_s else self.mean_dbm(wearer, now_s)
        heads = self._random.getrandbits(_COINS).bit_count()
        return round(mean - wearer.damping_db + (heads - _COINS // 2) * _DB_PER_COIN)

    def mean_dbm(self, wearer: Wearer, now_s: float) -> float:
        """Without fading, and without what stands around the tag. Of who stands it is worked out once."""
        metres = max(wearer.path.from_home_m(now_s), wearer.home_m)
        mean = RSSI_AT_1_M_DBM - 10 * PATH_LOSS_EXPONENT * math.log10(metres)
        if now_s >= wearer.path.until_s:
            wearer.mean_dbm, wearer.settles_s = mean, now_s
        return mean

    @property
    def is_busy(self) -> bool:
        """Whether a connection stands or is being made, or something waits for the centre that can be sent."""
        return bool(self._lines or self._calling) or (self.post.connected and self.post.waiting > 0)

    def reaches(self, unit: TagUnit) -> bool:
        return self.is_on and self.rssi_dbm(unit.wearer, self.agenda.now_ms / 1000) >= SENSITIVITY_DBM

    def hear(self, unit: TagUnit, address: bytes, frame: bytes) -> None:
        """One advertisement; it may be out of reach, or missed."""
        if not self.is_on or unit.ident not in self.units:
            return
        now_s = self.agenda.now_ms / 1000
        wearer, random = unit.wearer, self._random
        mean = wearer.mean_dbm if now_s >= wearer.settles_s else self.mean_dbm(wearer, now_s)
        heads = random.getrandbits(_COINS).bit_count()
        rssi_dbm = round(mean - wearer.damping_db + (heads - _COINS // 2) * _DB_PER_COIN)  # `rssi_dbm`, without a call
        if rssi_dbm < SENSITIVITY_DBM or random.random() < ADVERTISEMENT_LOSS:
            return
        name = address.hex()
        calling = self._calling
        if calling and calling[0] == (unit, name):
            calling.popleft()
            self._call_number += 1
            self.agenda.after(BLE_LATENCY_MS, self._connected, unit)
        self.station.receive_advertisement(name, rssi_dbm, frame, now_s)
        self.drain()

    # Calls.

    def _call(self, event: Connect) -> None:
        self._calling.append((self.units[event.tag], event.address))
        if len(self._calling) == 1:
            self._begin_call()

    def _begin_call(self) -> None:
        self._call_number += 1
        self.agenda.after(CONNECT_LIMIT_MS, self._give_up, self._call_number)

    def _give_up(self, number: int) -> None:
        if number == self._call_number and self._calling:
            unit, _ = self._calling.popleft()
            self.station.call_failed(unit.ident, self.agenda.now_ms / 1000)
            self._next_call()
            self.drain()

    def _next_call(self) -> None:
        if self._calling:
            self._begin_call()

    def _abandon(self, tag: str) -> None:
        was_first = bool(self._calling) and self._calling[0][0].ident == tag
        self._calling = deque(call for call in self._calling if call[0].ident != tag)
        self.station.call_abandoned(tag)
        if was_first:
            self._next_call()

    def _connected(self, unit: TagUnit) -> None:
        if self.is_on:
            self.calls += 1
            Line(self, unit, out.BLE)
        else:
            self.station.call_failed(unit.ident, self.agenda.now_ms / 1000)
        self._next_call()
        self.drain()

    def bring(self, events: list[Record | TimeRequest]) -> None:
        """A call that was not lived through has brought these."""
        self.calls += 1
        news: list[Event] = []
        for event in events:
            if isinstance(event, TimeRequest):
                self.post.ask_time(event)
            else:
                news.append(event)
        self.post.keep(news)

    # Lines.

    def open_line(self, line: Line, called: str | None) -> int:
        number = self.station.open_link(self.agenda.now_ms / 1000, called)
        self._lines[number] = line
        return number

    def line_data(self, line: Line, data: bytes) -> None:
        self.station.receive_data(line.number, data, self.agenda.now_ms / 1000)
        self.drain()

    def line_closed(self, line: Line) -> None:
        del self._lines[line.number]
        self.station.close_link(line.number, self.agenda.now_ms / 1000)
        self.drain()

    def switch(self, *, on: bool) -> None:
        """Its power. Without it nobody is heard, and all connections end."""
        self.is_on = on
        self.arm()
        if not on:
            for unit, _ in self._calling:
                self.station.call_failed(unit.ident, self.agenda.now_ms / 1000)
            self._calling.clear()
            for line in list(self._lines.values()):
                line.end()

    # What the station wants.

    def drain(self) -> None:
        """Carry it out; then wait for its next deadline."""
        station = self.station
        if not (station.events or self._is_crowd):
            return
        event = station.next_event()
        news = []
        while event is not None:
            if isinstance(event, Record | Presence | Provisional | Notice):
                news.append(event)
            else:
                self._perform(event)
            event = station.next_event()
        if news:
            self.post.keep(news)
        self.arm()

    def _perform(self, event: Connect | Abandon | Transmit | HangUp | TimeRequest | Ring) -> None:
        if isinstance(event, Transmit):
            if (line := self._lines.get(event.link)) is not None:
                line.to_tag(event.data)
        elif isinstance(event, HangUp):
            if (line := self._lines.get(event.link)) is not None:
                self.agenda.after(0, _end, line)
        elif isinstance(event, Connect):
            self._call(event)
        elif isinstance(event, Abandon):
            self._abandon(event.tag)
        elif isinstance(event, TimeRequest):
            self.post.ask_time(event)
        else:
            self.on_ring(event.tag)

    def arm(self) -> None:
        due_s = self.station.next_deadline()
        if due_s is None or not self.is_on:
            return
        due_ms = max(math.ceil(due_s * 1000), self.agenda.now_ms)
        due_ms += due_ms / 1000 < due_s  # the station counts in seconds, and must find itself due
        if self._armed_ms is None or due_ms < self._armed_ms:
            self._armed_ms = due_ms
            self.agenda.at(due_ms, self._fire, due_ms)

    def _fire(self, due_ms: int) -> None:
        if due_ms != self._armed_ms:
            return
        self._armed_ms = None
        if self.is_on:
            self.before_timer(self.agenda.now_ms / 1000)
            self.station.handle_timer(self.agenda.now_ms / 1000)
            self.drain()
            self.arm()


def _nobody(_tag: str) -> None:
    """Nobody pages modems."""


def _nothing(_now_s: float) -> None:
    """Nobody is folded."""


def _end(line: Line) -> None:
    line.end()
