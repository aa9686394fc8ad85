# ruff: noqa: SLF001 - folding is the one place that knows a tag's and a station's insides; its tests hold it to their own word
"""A call that fetches what a tag at home has to say, worked out: when it would come, and what it would bring and take.

The records are the firmware's own, made, kept and sealed by it; the station's post, the centre and its receipts are what they always are,
and the firmware opens the receipt. What is not lived through is the radio between: the heartbeats that tell of the record, the connection,
its handshake and its acknowledgements. Who has no receipt by then is woken, and tells by itself.
"""

from random import Random
from typing import Any

from strapline_gateway.events import Record, TimeRequest
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_base import ADVERTISEMENT_LOSS, Base
from strapline_simulator.fleet.engine_lines import BLE_LATENCY_MS
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_wire import frames, seal

_WAYS = 4
"""Over the connection until the record is there: it comes about, then HELLO, WELCOME, and REPLY with the record behind it."""

_PROOF_MS = 2000
"""Behind the call a receipt has come, or none will."""

_ANSWERS = (frames.RECEIPT, frames.RECEIPT_FAR, frames.TIME)


def may_be_called(base: Base, unit: TagUnit, now_s: float) -> bool:
    """Of a quiet tag at home: whether nothing stands between what it has to say and its answer."""
    enrolled = base.station._tags[unit.ident]
    return base.post.connected and now_s >= max(enrolled.collect_again_at, enrolled.call_again_at)


def wants_call(unit: TagUnit, now_ms: int) -> bool:
    """Whether it has something to say, or to ask; that nobody has been there for long is no matter of it."""
    return bool(len(unit.tag.journal)) or wants_time(unit, now_ms)


def wants_time(unit: TagUnit, now_ms: int) -> bool:
    """At its next call it asks for the time; one that never had it is lived through."""
    clock = unit.tag.clock
    return clock._answered_at is not None and bool(clock.age_s(now_ms) >= unit.config.time_refresh_s)


class ImaginedCall:
    """Of one stretch, at its beginning. `period_s`: within that a call comes without any reason."""

    __slots__ = ("_agenda", "_base", "_has_records", "_is_under_way", "_unit", "_usual_ms", "at_ms", "heartbeats")

    def __init__(self, agenda: Agenda, base: Base, unit: TagUnit, random: Random, period_s: float) -> None:
        self._agenda = agenda
        self._base = base
        self._unit = unit
        self._is_under_way = False
        first_ms = unit.tag._broadcast.due
        self._has_records = bool(len(unit.tag.journal))
        if not self._has_records:
            first_ms += random.randrange(round(period_s * 1000))
        self.at_ms, count = _course(unit, first_ms, random)
        """When it brings what there is."""
        self.heartbeats = count if self._has_records else 0
        """From that which told of a record until the tag is back in its own rhythm; a question interrupts no rhythm."""
        self._usual_ms = _usual_ms(unit.config, random)

    def begin(self) -> None:
        """The stretch has begun."""
        if self._has_records:
            self._unit.tag._broadcast.due = self.at_ms + self._usual_ms
        self._agenda.at(self.at_ms, self._bring, self._unit.folded)

    def _stands(self, passage: object) -> bool:
        """Whether the tag was not woken since, and no other call has come in place of this one."""
        folded = self._unit.folded
        return folded is not None and folded is passage and folded.call is self

    def _bring(self, passage: object) -> None:
        if not self._stands(passage):
            return
        self._is_under_way = True
        unit, tag, now_ms = self._unit, self._unit.tag, self._agenda.now_ms
        tag._presence.heard_at = tag.reached_at = now_ms
        events: list[Record | TimeRequest] = []
        if wants_time(unit, now_ms):
            events.append(TimeRequest(unit.ident, tag._ask_time(now_ms)))
        waiting = [tag._recorder.seal_record(slot) for slot in list(tag.journal.pending(unit.config.link_window))]
        events += [Record(unit.ident, seal.peek_envelope(sealed), sealed) for sealed in waiting if sealed is not None]
        self._base.bring(events)
        self._agenda.after(_PROOF_MS, self._look, passage)

    def takes(self, sealed: bytes) -> bool:
        """An answer to what was brought; False for anything else, and outside of the call."""
        is_answer = self._is_under_way and seal.peek_envelope(sealed).kind in _ANSWERS
        if is_answer:
            self._unit.tag._orders.take(self._agenda.now_ms, sealed)
        return is_answer

    def _look(self, passage: object) -> None:
        self._is_under_way = False
        if self._stands(passage) and wants_call(self._unit, self._agenda.now_ms):
            self._unit.unfold()


def _course(unit: TagUnit, at_ms: int, random: Random) -> tuple[int, int]:
    """One heartbeat tells of the record, another is what the station connects on; either may be missed."""
    is_quick, config = unit.tag._broadcast._quick > 0, unit.config
    heard = count = 0
    while heard < 2:
        if count:
            at_ms += _quick_ms(config, random) if is_quick else _usual_ms(config, random)
        count += 1
        heard += random.random() >= ADVERTISEMENT_LOSS
    return at_ms + _WAYS * BLE_LATENCY_MS, count + is_quick


def _quick_ms(config: Any, random: Random) -> int:
    return int(config.quick_spacing_ms // 2 + random.randrange(config.quick_spacing_ms))


def _usual_ms(config: Any, random: Random) -> int:
    return random.randint(config.heartbeat_shortest_ms, config.heartbeat_longest_ms)
