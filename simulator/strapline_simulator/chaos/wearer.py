"""One real tag's firmware on the timeline, what happens to its wearer, and the truth: every record that its journal has taken."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_simulator.chaos.timeline import EPOCH_S, Timeline
from strapline_simulator.draw import Draw
from strapline_tag import outputs
from strapline_tag.bench_flash import MemoryFlash
from strapline_tag.config import Config
from strapline_tag.journal import ALARM_LANE, Journal
from strapline_tag.tag import Tag
from strapline_wire import frames

_WORN_OHM = 1000
_ROUNDING_S = 1e-6


class Recorded(NamedTuple):
    """A record as the tag wrote it."""

    at: float
    kind: int
    alarm: bool
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """As the ledger has them."""
        unpack: Callable[[bytes], Any] = {frames.EVENT: frames.unpack_event, frames.FIX: frames.unpack_fix}.get(
            self.kind, frames.unpack_tombstone
        )
        return dict(unpack(self.body)._asdict())


class Memory(dict[str, Any]):
    """What a tag keeps over reboots."""

    put = write = dict.__setitem__

    def read(self, name: str) -> bytes:
        return bytes(self.get(name, b""))


class Wearer:
    """A tag on somebody's leg; a `Machine`. Its bearers are somebody else's: `on_advertise(address, data)` and so on."""

    def __init__(self, timeline: Timeline, ident: str, secret: bytes, seed: str, settings: dict[str, int]) -> None:
        self._timeline = timeline
        self.ident = ident
        self.secret = secret
        self._seed = seed
        self._config = Config(settings)
        self._memory = Memory()
        self._flash = MemoryFlash(self._config.journal_bytes, self._config.journal_block_bytes)
        self.truth: dict[tuple[int, int], Recorded] = {}
        """By journal and sequence."""
        self.dropped_positions = 0
        self.boots = 0
        self.tag: Tag | None = None
        self._booted_ms = 0
        self._gnss_on = False
        self._latched = False
        self.on_advertise: Callable[[str, bytes], None]
        self.on_send: Callable[[int, bytes], None]
        self.on_dial: Callable[[], None]
        self.on_hang_up: Callable[[int], None]

    # Power.

    def start(self) -> None:
        """Power is there, for the first time or again."""
        self.boots += 1
        self._booted_ms = self._timeline.now_ms
        entropy = Draw(f"{self._seed}/{self.ident}/{self.boots}")
        self.tag = Tag(self.secret, self._memory, entropy, HostCipher, self._flash, self._config)
        self._watch(self.tag.journal)
        self.tag.feed_strap(0, _WORN_OHM)
        if self._latched:
            self.tag.feed_strap_edge(0, True)
        self._carry_out()

    def cut_power(self) -> None:
        """All but flash and memory is gone."""
        assert self.tag is not None
        self.dropped_positions += self.tag.journal.dropped_positions
        self.tag = None
        self._gnss_on = False

    def _watch(self, journal: Journal) -> None:
        for slot in journal.pending(1 << 20):
            record = journal.record(slot)
            assert record is not None, "this flash loses nothing"
            (kind, flags, ident, sequence), body = record
            self._note(ident, sequence, kind, flags, body)
        put = journal._put  # noqa: SLF001 - records and tombstones go through here, and nothing of a product's code may know it

        def noting(meta: int, body: bytes, sequence: int) -> bool:
            before = journal.newest
            done = put(meta, body, sequence)
            if journal.newest > before:
                self._note(journal.ident, journal.newest, meta >> 2, meta & 3, bytes(body))
            return bool(done)

        journal._put = noting  # type: ignore[method-assign] # noqa: SLF001

    def _note(self, journal: int, sequence: int, kind: int, flags: int, body: bytes) -> None:
        recorded = Recorded(self._timeline.now, kind, bool(flags & ALARM_LANE), body)
        self.truth.setdefault((journal, sequence), recorded)

    # The clock.

    @property
    def _now_ms(self) -> int:
        return self._timeline.now_ms - self._booted_ms

    def next_deadline(self) -> float | None:
        return None if self.tag is None else (self._booted_ms + self.tag.next_deadline()) / 1000

    def handle_timer(self) -> None:
        assert self.tag is not None
        self.tag.handle_timer(self._now_ms)
        self._carry_out()

    # What happens to it.

    def present_key(self, sealed: bytes) -> None:
        assert self.tag is not None
        self.tag.feed_key(self._now_ms, sealed)
        self._carry_out()

    def pull_strap(self, *, is_open: bool) -> None:
        """The strap is opened, or closed again; the latch holds it where there is no power."""
        self._latched = is_open
        if self.tag is not None:
            self.tag.feed_strap_edge(self._now_ms, is_open)
            self._carry_out()

    def link_up(self, bearer: int) -> None:
        if self.tag is not None:
            self.tag.feed_link_up(self._now_ms, bearer)
            self._carry_out()

    def link_data(self, bearer: int, data: bytes) -> None:
        if self.tag is not None:
            self.tag.feed_link(self._now_ms, bearer, data)
            self._carry_out()

    def link_down(self, bearer: int) -> None:
        if self.tag is not None:
            self.tag.feed_link_down(self._now_ms, bearer)
            self._carry_out()

    def _carry_out(self) -> None:
        while self.tag is not None and self.tag.has_outputs():
            for kind, *fields in self.tag.take_outputs():
                if kind == outputs.ADVERTISE:
                    self.on_advertise(fields[0].hex(":"), fields[1])
                elif kind == outputs.LINK_SEND:
                    self.on_send(*fields)
                elif kind == outputs.LINK_OPEN:
                    self.on_dial()
                elif kind == outputs.LINK_CLOSE:
                    self.on_hang_up(fields[0])
                elif kind == outputs.GNSS_POWER:
                    self._switch_gnss(on=bool(fields[0]))

    # The sky.

    def _switch_gnss(self, *, on: bool) -> None:
        was_on, self._gnss_on = self._gnss_on, on
        if on and not was_on:
            self._timeline.after(1.0, self._locate, self.boots)

    def _locate(self, boot: int) -> None:
        if self._gnss_on and self.tag is not None and boot == self.boots:
            self.tag.feed_gnss(self._now_ms, _sentences(self._timeline.now_ms // 1000))
            self._timeline.after(1.0, self._locate, boot)
            self._carry_out()


def _sentences(second: int) -> bytes:
    """What a receiver says of one second (NMEA 0183): the right time, and another place each time."""
    now = datetime.fromtimestamp(EPOCH_S + second, UTC)
    place = f"48{second // 60 % 60:02}.{second % 60:02}00,N,01131.0000,E"
    told = (
        f"GPRMC,{now:%H%M%S},A,{place},1.0,84.4,{now:%d%m%y},,,A",
        f"GPGGA,{now:%H%M%S},{place},1,08,0.9,545.4,M,46.9,M,,",
    )
    return b"".join(b"$%s*%02X\r\n" % (line.encode(), _checksum(line.encode())) for line in told)


def _checksum(line: bytes) -> int:
    total = 0
    for byte in line:
        total ^= byte
    return total
