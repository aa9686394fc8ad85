"""A tag with a gateway and a centre in reach, on a clock that the test moves. No radio, no broker: bytes go straight across."""

import hashlib
from array import array
from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Any, NamedTuple

from flash import Flash
from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import EventCode
from strapline_tag import outputs as out
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag
from strapline_wire import frames, link, seal
from strapline_wire.arq import ReliableLink
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow
from strapline_wire.session import Session, welcome

SECRET = bytes(range(16))
EPOCH = 1_700_000_000
UTC_AT_START_S = 1_772_496_000
"""2026-03-03 00:00 UTC, so that `epoch(now)` tells the time that the centre tells."""
WORN_OHM = 1000
OPEN_OHM = 1_000_000
NAMES = {int(code): code.name.lower() for code in EventCode}

HEADER = HostCipher(derive(SECRET, "header"))
BROADCAST = HostCipher(derive(SECRET, "broadcast"))
LINK_KEY = derive(SECRET, "link")


class Memory:
    """What survives a reboot (bytes as hex), and how often it was written."""

    def __init__(self, held: dict[str, Any] | None = None) -> None:
        self.held = dict(held or {})
        self.writes = 0

    def get(self, name: str, default: int) -> int:
        return self.held.get(name, default)

    def put(self, name: str, value: int | str) -> None:
        self.held[name] = value
        self.writes += 1

    def read(self, name: str) -> bytes:
        return bytes.fromhex(str(self.held.get(name, "")))

    def write(self, name: str, value: bytes) -> None:
        self.put(name, value.hex())


class Draw:
    """Repeatable random bytes."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.sha256(f"{self._purpose}/{self._count}".encode()).digest()[:size]


class Heard(NamedTuple):
    """One heartbeat, opened with the broadcast key."""

    at: int
    address: bytes
    pseudonym: int
    counter: int
    heartbeat: Any
    frame: bytes


class Record(NamedTuple):
    """One record that came to the centre, opened."""

    at: int
    bearer: int
    sequence: int
    flags: int
    name: str
    body: Any
    sealed: bytes


class Centre:
    """What a tag needs of a centre: it opens, remembers and receipts records as the ledger does, and seals commands."""

    def __init__(self, epoch: int = EPOCH) -> None:
        self.cipher = HostCipher(derive(SECRET, "end-to-end"))
        self.epoch = epoch
        self.number = 0
        self.held: dict[int, set[int]] = {}
        """Sequences by journal id, in the ledger and to be receipted."""
        self.floor = 1
        """Every sequence below it counts as held."""
        self.utc_at_start_s = UTC_AT_START_S

    def seal(self, kind: int, body: bytes, *, number: int | None = None, epoch: int | None = None) -> bytes:
        if number is None:
            self.number += 1
            number = self.number
        epoch = self.epoch if epoch is None else epoch
        return seal.seal_envelope((kind, 0, epoch, number), body, self.cipher, seal.DOWN)

    def arm(self, key_id: int = 0x00E1EC01) -> bytes:
        return self.seal(frames.ARM, frames.pack_arm((key_id, UTC_AT_START_S)))

    def time(self, nonce: bytes, now: int) -> bytes:
        utc_ms = self.utc_at_start_s * 1000 + now
        return self.seal(frames.TIME, frames.pack_time((nonce, utc_ms // 1000, utc_ms % 1000)))

    def receipt(self, journal: int, number: int = 0) -> bytes:
        """Every sequence below the lowest that is missing, and those of the 32 after it that are here."""
        held = self.held.setdefault(journal, set())
        base = next(n for n in range(self.floor, self.floor + len(held) + 1) if n not in held)
        bitmap = sum(1 << bit for bit in range(32) if base + 1 + bit in held)
        if number > base + 32:
            far = sum(1 << bit for bit in range(32) if number + 1 + bit in held)
            return self.seal(frames.RECEIPT_FAR, frames.pack_receipt_far((journal, number, far)))
        return self.receipt_of(journal, base, bitmap)

    def receipt_of(self, journal: int, base: int, bitmap: int = 0) -> bytes:
        return self.seal(frames.RECEIPT, frames.pack_receipt((journal, base, bitmap)))

    def open(self, sealed: bytes) -> tuple[Any, Any]:
        envelope, body = seal.open_envelope(sealed, self.cipher, seal.UP)
        unpack = {
            frames.EVENT: frames.unpack_event,
            frames.FIX: frames.unpack_fix,
            frames.TIME_REQUEST: frames.unpack_time_request,
            frames.TOMBSTONE: frames.unpack_tombstone,
        }
        return envelope, unpack[envelope.kind](body)


class Line:
    """The gateway's end of one connection, which acknowledges everything."""

    def __init__(self, home: bool) -> None:
        self.home = home
        self.link = ReliableLink(7, 1000)
        self.session: Session | None = None
        self.deaf = False
        """What the tag says is lost."""


class TagPair:
    """The tag under test and its other end.

    `coverage`: True answers a call at once, False fails it at once, None never answers. `lose(record)` says which records the
    gateway drops; `receipting` and `telling_time` are the centre's moods.
    """

    def __init__(
        self,
        config: dict[str, int] | None = None,
        *,
        memory: Memory | None = None,
        flash: Flash | None = None,
        seed: str = "tag",
        sampling: bool = False,
        slots: Any = None,
    ) -> None:
        self.memory = Memory() if memory is None else memory
        self.config = Config(config)
        self.flash = flash_of(self.config) if flash is None else flash
        self.tag = Tag(SECRET, self.memory, Draw(seed), HostCipher, self.flash, self.config, slots=slots)
        self.now = 0
        self.centre = Centre()
        self.gateway_entropy = Draw(seed + "/gateway")
        self.lines: dict[int, Line] = {}
        self.link_key, self.header = LINK_KEY, HEADER
        self.coverage: bool | None = True
        self.greeting = True
        self.receipting = True
        self.telling_time = True
        self.lose: Callable[[Record], bool] = lambda _record: False
        self.advertised: list[tuple[int, bytes, bytes]] = []
        self.sent: list[tuple[int, int, bytes]] = []
        self.arrived: list[Record] = []
        self.asked: list[tuple[int, bytes]] = []
        self.dialled: list[int] = []
        self.hung_up: list[tuple[int, int]] = []
        self.gnss_power: list[tuple[int, bool]] = []
        self.restarts: list[int] = []
        self.strap_ohm, self.skin_centi_c, self.ambient_centi_c, self.battery_percent = WORN_OHM, 3300, 2200, 100
        self.battery_mv, self.charging, self.case_open, self.immersed, self.faults = 3900, 0, 0, 0, 0
        self.moved = self.restless = True
        """The wearer moves all the time: nothing rests."""
        self.jam, self.cell_dbm = 0, -85
        self.vibrated: list[tuple[int, int]] = []
        self.shown: list[tuple[int, bytes]] = []
        self.sampler = Sampler(self.tag, self, self.config, 0) if sampling else None

    # Time.

    def run(self, seconds: float) -> None:
        self.run_to(self.now + round(seconds * 1000))

    def run_to(self, until: int) -> None:
        turns = 0
        while (at := self._next()) <= until:
            assert at >= self.now, f"deadline {at} lies before {self.now}"
            turns = turns + 1 if at == self.now else 0
            assert turns < 5, f"the tag never comes to rest at {at}"
            self.now = at
            if self.sampler is not None and self.sampler.due <= at:
                self.sampler.handle_timer(at)
            if self.tag.next_deadline() <= at:
                self.tag.handle_timer(at)
            self.drain()
        self.now = until

    def _next(self) -> int:
        at = self.tag.next_deadline()
        return at if self.sampler is None else min(at, self.sampler.due)

    def stay_home(self, seconds: float, every_s: float = 120) -> None:
        """Let time pass with the home gateway calling as the real one does."""
        end = self.now + round(seconds * 1000)
        while self.now < end:
            self.visit()
            self.run_to(min(end, self.now + round(every_s * 1000)))

    def read_motion(self, samples: Any) -> int:
        """The accelerometer: two vectors far apart, or asleep."""
        if not self.restless:
            return 0
        samples[0:6] = array("h", (2000, 0, 0, 0, 0, 0))
        return 2

    # What is done to the tag.

    def arm(self) -> None:
        self.tag.feed_strap(self.now, self.strap_ohm)
        self.tag.feed_key(self.now, self.centre.arm())
        self.drain()

    def armed_away(self) -> None:
        """Armed, and gone from home just now."""
        self.arm()
        self.leave()

    def leave(self) -> None:
        """Out of home's reach, until the tag is sure of it."""
        while not self.tag.away:
            self.run_to(self.tag.next_deadline())

    def edge(self, is_open: bool) -> None:
        self.tag.feed_strap_edge(self.now, is_open)
        self.drain()

    def strap(self, *ohms: int) -> None:
        """One sample a second."""
        for ohm in ohms:
            self.strap_ohm = ohm
            self.tag.feed_strap(self.now, ohm)
            self.run(1)

    def gnss(self, data: bytes) -> None:
        self.tag.feed_gnss(self.now, data)
        self.drain()

    def key(self, sealed: bytes) -> None:
        self.tag.feed_key(self.now, sealed)
        self.drain()

    def connect(self, bearer: int = out.BLE, *, home: bool = True) -> None:
        self.lines[bearer] = Line(home and bearer == out.BLE)
        self.tag.feed_link_up(self.now, bearer)
        self.drain()

    def disconnect(self, bearer: int = out.BLE) -> None:
        if self.lines.pop(bearer, None) is not None:
            self.tag.feed_link_down(self.now, bearer)
            self.drain()

    def visit(self, *, home: bool = True) -> None:
        """The gateway calls, all is said, and it hangs up."""
        self.connect(home=home)
        self.disconnect()

    def line_data(self, data: bytes, bearer: int = out.BLE) -> None:
        """Raw bytes from the gateway, or from a stranger."""
        self.tag.feed_link(self.now, bearer, data)
        self.drain()

    def command(self, sealed: bytes, bearer: int = out.BLE) -> None:
        session = self.lines[bearer].session
        assert session is not None
        self.line_data(self.line(session.seal(frames.COMMAND, sealed), bearer), bearer)

    def line(self, frame: bytes, bearer: int = out.BLE) -> bytes:
        """A frame of the gateway as bytes for the line, under the next number of its link."""
        at_gateway = self.lines[bearer].link
        at_gateway.send(frame)
        return b"".join(at_gateway.data_to_send(self.now))

    # What the tag does.

    def drain(self) -> None:
        while self.tag.has_outputs():
            for output in self.tag.take_outputs():
                self._carry_out(*output)

    def _carry_out(self, kind: int, *fields: Any) -> None:
        if kind == out.ADVERTISE:
            self.advertised.append((self.now, *fields))
        elif kind == out.LINK_SEND:
            self.sent.append((self.now, *fields))
            self._take(*fields)
        elif kind == out.LINK_OPEN:
            self.dialled.append(self.now)
            if self.coverage:
                self.connect(fields[0])
            elif self.coverage is False:
                self.tag.feed_link_down(self.now, fields[0])
        elif kind == out.LINK_CLOSE:
            self.hung_up.append((self.now, fields[0]))
            self.disconnect(fields[0])
        elif kind == out.VIBRATE:
            self.vibrated.append((self.now, fields[0]))
        elif kind == out.SHOW:
            self.shown.append((self.now, fields[0]))
        elif kind == out.RESTART:
            self.restarts.append(self.now)
        else:
            assert kind == out.GNSS_POWER
            self.gnss_power.append((self.now, fields[0]))

    def _take(self, bearer: int, data: bytes) -> None:
        line = self.lines.get(bearer)
        if line is None or line.deaf:
            return  # said into a line that is gone
        for frame in line.link.receive_data(data, self.now):
            if line.session is None:
                self._greet(line, frame)
                continue
            kind, body = line.session.open(frame)
            if kind == frames.RECORD:
                self._record(bearer, line, body)
            else:
                assert kind == frames.REPLY
        for answer in line.link.data_to_send(self.now):
            self.tag.feed_link(self.now, bearer, answer)

    def _greet(self, line: Line, frame: bytes) -> None:
        if self.greeting:
            nonce = self.gateway_entropy(8)
            _, answer, line.session = welcome(
                frame, self.link_key, self.header, 0x6A7E0001, int(line.home), nonce, HostCipher
            )
            line.link.send(answer)

    def _record(self, bearer: int, line: Line, sealed: bytes) -> None:
        envelope, body = self.centre.open(sealed)
        if envelope.kind == frames.TIME_REQUEST:
            nonce = envelope.origin.to_bytes(4, "big") + envelope.number.to_bytes(4, "big")
            self.asked.append((self.now, nonce))
            answer = self.centre.time(nonce, self.now) if self.telling_time else None
        else:
            name = name_of(envelope.kind, body)
            record = Record(self.now, bearer, envelope.number, envelope.flags, name, body, sealed)
            if self.lose(record):
                return
            self.arrived.append(record)
            self.centre.held.setdefault(envelope.origin, set()).add(envelope.number)
            answer = self.centre.receipt(envelope.origin, envelope.number) if self.receipting else None
        if (
            answer is not None and line.session is not None and line.link.room()
        ):  # else it comes again, as the record does
            line.link.send(line.session.seal(frames.COMMAND, answer))

    # What is asked of it afterwards.

    @property
    def heard(self) -> list[Heard]:
        return [open_heartbeat(*advertised) for advertised in self.advertised]

    def names(self, *, checks: bool = False) -> list[str]:
        """What came to the centre, in order, each record once; the checks of enrolment, which each arming tells, only where asked for."""
        return [record.name for record in self.unique() if checks or record.name != "checked"]

    def unique(self) -> list[Record]:
        seen: dict[int, Record] = {}
        for record in self.arrived:
            seen.setdefault(record.sequence, record)
        return list(seen.values())

    def times(self, name: str) -> list[int]:
        """When, by the tag's own stamps, the events of this name happened (ms)."""
        return [r.body.uptime_s * 1000 + r.body.uptime_ms for r in self.unique() if r.name == name]

    def waiting(self) -> list[str]:
        """What the journal still holds, oldest first."""
        return [
            name_of(kind, frames.unpack_event(body) if kind == frames.EVENT else None)
            for (kind, *_), body in records_of(self.tag.journal)
        ]

    def held(self) -> list[int]:
        """The sequences that the journal still holds."""
        return [sequence for (*_, sequence), _ in records_of(self.tag.journal)]


def flash_of(config: Config) -> Flash:
    """As large as a body makes it."""
    return Flash(config.journal_bytes // config.journal_block_bytes, config.journal_block_bytes)


def records_of(journal: Any) -> list[Any]:
    """(envelope, body) of all that it holds, by sequence."""
    return sorted((journal.record(slot) for slot in journal.pending(len(journal))), key=lambda one: one[0][3])


def name_of(kind: int, body: Any) -> str:
    return {frames.FIX: "fix", frames.TOMBSTONE: "tombstone"}.get(kind) or NAMES[body.code]


def open_heartbeat(at: int, address: bytes, frame: bytes) -> Heard:
    kind, pseudonym = seal.peek(frame)
    assert kind == frames.HEARTBEAT
    counter, body = seal.open_frame(frame, BROADCAST, HEADER, seal.UP, ReplayWindow())
    return Heard(at, address, pseudonym, counter, frames.unpack_heartbeat(body), frame)


def frame_of(line: bytes) -> bytes:
    """The frame in a line; empty in a bare acknowledgement."""
    content = link.decode(line[1:-1])
    assert content is not None
    return content[link.HEADER_SIZE :]


def nmea(content: str) -> bytes:
    return b"$%s*%02X\r\n" % (content.encode(), reduce(xor, content.encode(), 0))


def epoch(second: int) -> bytes:
    """What a receiver says about one second of the day: a position that moves with it, at 2 m/s."""
    time = f"{second // 3600 % 24:02}{second // 60 % 60:02}{second % 60:02}"
    minutes = second % 86400 * 10
    place = f"48{minutes // 10000 % 60:02}.{minutes % 10000:04},N,01131.0000,E"
    return nmea(f"GPRMC,{time},A,{place},1.0,84.4,030326,,,A") + nmea(f"GPGGA,{time},{place},1,08,0.9,545.4,M,46.9,M,,")
