"""What simulated tags have sent and what was receipted, read from their own frames. No network in it, and no clock of its own."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from strapline_protocol.codes import Kind
from strapline_protocol.decode import unpack
from strapline_simulator.conform.reading import Opener
from strapline_simulator.taps import Passage
from strapline_wire.errors import RemoteProtocolError

_KEPT = 100_000
"""Latencies; of a longer run every second one goes when there are more."""


class Counts(NamedTuple):
    """Over all tags. `missing`: sent, and no receipt has come."""

    made: int = 0
    sent: int = 0
    acknowledged: int = 0
    missing: int = 0
    sent_again: int = 0
    """Copies of a record beyond its first, for want of a receipt or after a new connection."""
    refused: int = 0
    """Records that the centre could not open."""
    p50_s: float | None = None
    """From a record's first sending to its receipt at the tag."""
    p99_s: float | None = None
    longest_s: float | None = None


class TagTally:
    """One tag's records. `told(latency_s)` hears of each receipt."""

    def __init__(self, tag: str, secret: bytes, clock: Callable[[], float], told: Callable[[float], None]) -> None:
        self._opener = Opener(tag, secret)
        self._clock = clock
        self._told = told
        self.open: dict[tuple[int, int], float] = {}
        """By journal and sequence: when it was sent first."""
        self._receipted: dict[int, int] = {}
        """By journal: all below."""
        self._beyond: set[tuple[int, int]] = set()
        self.sent = self.acknowledged = self.sent_again = self.refused = 0
        self.unread = 0
        """Frames that its own keys do not open."""
        self._last: int | None = None

    def close_at(self, newest: int) -> None:
        """What the tag makes after this record counts no more."""
        self._last = newest

    def take(self, passage: Passage) -> None:
        """One frame that the tag says or hears."""
        if passage.bearer is None:
            return
        try:
            opened = self._opener.open(passage)
        except RemoteProtocolError:
            self.unread += 1
            return
        if opened is None or opened.envelope is None:
            return
        if passage.sent:
            self._sent(opened.envelope)
        else:
            self._heard(opened.envelope.kind, opened.inner)

    def _sent(self, envelope: "object") -> None:
        kind, journal, number = (getattr(envelope, name) for name in ("kind", "origin", "number"))
        if kind == Kind.TIME_REQUEST:
            return
        record = journal, number
        if self._last is not None and number > self._last:
            return
        if record in self.open or record in self._beyond or number < self._receipted.get(journal, 0):
            self.sent_again += 1
            return
        self.sent += 1
        self.open[record] = self._clock()

    def _heard(self, kind: int, body: bytes) -> None:
        if kind == Kind.RECEIPT:
            receipt = unpack(kind, body)
            self._let_go(receipt.journal, receipt.base, receipt.base, receipt.bitmap << 1)
        elif kind == Kind.RECEIPT_FAR:
            receipt = unpack(kind, body)
            self._let_go(receipt.journal, 0, receipt.first, receipt.bitmap << 1 | 1)
        elif kind == Kind.REFUSED:
            self.refused += 1

    def _let_go(self, journal: int, below: int, first: int, bitmap: int) -> None:
        self._receipted[journal] = max(below, self._receipted.get(journal, 0))
        self._beyond = {(one, number) for one, number in self._beyond if one != journal or number >= below}
        for record in [record for record in self.open if record[0] == journal]:
            bit = record[1] - first
            is_beyond = 0 <= bit <= 32 and bool(bitmap >> bit & 1)
            if record[1] < below or is_beyond:
                if record[1] >= below:
                    self._beyond.add(record)
                self.acknowledged += 1
                self._told(self._clock() - self.open.pop(record))


class Tally:
    """All tags' records together."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tags: list[TagTally] = []
        self._latencies: list[float] = []

    def tag(self, tag: str, secret: bytes) -> TagTally:
        """One more tag."""
        made = TagTally(tag, secret, self._clock, self._note)
        self._tags.append(made)
        return made

    def _note(self, latency_s: float) -> None:
        self._latencies.append(latency_s)
        if len(self._latencies) > _KEPT:
            del self._latencies[::2]

    def counts(self, made: Iterable[int]) -> Counts:
        """How it stands; `made`: records of each tag, as it says itself."""
        ordered = sorted(self._latencies)
        return Counts(
            made=sum(made),
            sent=sum(tag.sent for tag in self._tags),
            acknowledged=sum(tag.acknowledged for tag in self._tags),
            missing=sum(len(tag.open) for tag in self._tags),
            sent_again=sum(tag.sent_again for tag in self._tags),
            refused=sum(tag.refused for tag in self._tags),
            p50_s=_share(ordered, 0.5),
            p99_s=_share(ordered, 0.99),
            longest_s=_share(ordered, 1.0),
        )


def _share(ordered: list[float], share: float) -> float | None:
    """The value that so many of them do not exceed (nearest rank)."""
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * share // 1))
    return round(ordered[int(rank) - 1], 4)
