"""Frames, envelopes and handshakes: raw, and with a genuine seal round anything, at the ends that open them."""

from collections.abc import Callable
from typing import Any

from firmware.tag_pair import HEADER, LINK_KEY, SECRET, TagPair
from firmware.tag_pair import Memory as Flash
from fuzz.target import Reader, Target
from hand_made_tag import HandMadeTag
from strapline_gateway.station import Station, Transmit
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs as out
from strapline_tag.commands import Commands
from strapline_tag.config import Config
from strapline_tag.keyring import Keyring
from strapline_wire import documents, frames, link, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.parts import PART_LIMIT
from strapline_wire.replay import ReplayWindow
from strapline_wire.session import TagHandshake, _clear, welcome

GATEWAY = 0x6A7E0001
PSEUDONYM = 0x12345678
END_TO_END = HostCipher(derive(SECRET, "end-to-end"))
BROADCAST = HostCipher(derive(SECRET, "broadcast"))
PACKED = {**vars(documents), **vars(frames)}
KINDS = [value for name, value in vars(frames).items() if name.isupper() and f"pack_{name.lower()}" in PACKED]
ADDRESS = "C0:00:00:00:00:01"


def refused(attempt: Callable[..., object], *arguments: object) -> bool:
    """Whether it was turned down as the peer's mistake."""
    try:
        attempt(*arguments)
    except RemoteProtocolError:
        return True
    return False


# Frames and envelopes.


def take_seal(data: bytes) -> None:
    """Without the key nothing opens; with it everything that was sealed does, and not with a bit turned round."""
    reader = Reader(data)
    kind, counter, direction = reader.number() & 0x3F, reader.number(4), reader.number() & 1
    flip, flags = reader.number(2), reader.number()
    body = reader.rest()
    assert refused(seal.open_frame, body, BROADCAST, HEADER, direction, ReplayWindow())
    assert refused(seal.open_envelope, body, END_TO_END, direction)
    frame = seal.seal_frame(kind, PSEUDONYM, counter, body, BROADCAST, HEADER, direction)
    window = ReplayWindow()
    assert seal.open_frame(frame, BROADCAST, HEADER, direction, window) == (counter, body)
    assert refused(seal.open_frame, frame, BROADCAST, HEADER, direction, window)
    assert refused(seal.open_frame, flipped(frame, flip), BROADCAST, HEADER, direction, ReplayWindow())
    assert refused(seal.open_frame, frame, BROADCAST, HEADER, 1 - direction, ReplayWindow())
    envelope = (kind, flags, counter, flip)
    sealed = seal.seal_envelope(envelope, body, END_TO_END, direction)
    assert seal.open_envelope(sealed, END_TO_END, direction) == (envelope, body)
    assert refused(seal.open_envelope, flipped(sealed, flip), END_TO_END, direction)
    assert refused(seal.open_envelope, sealed, END_TO_END, 1 - direction)


def flipped(data: bytes, bit: int) -> bytes:
    at = bit % (len(data) * 8)
    return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


def seal_seeds() -> list[bytes]:
    return [bytes([kind, 0, 0, 0, at, at & 1, 0, at, 1]) + bytes(at) for at, kind in enumerate(KINDS)]


# The handshake.


def take_handshake(data: bytes) -> None:
    """HELLO at the gateway and WELCOME at the tag: raw, and authenticated round anything."""
    reader = Reader(data)
    authentic, kind = reader.number() & 1, reader.number()
    body = reader.rest()
    tag = TagHandshake(LINK_KEY, HEADER, PSEUDONYM, b"tagnonce", HostCipher)
    if not authentic:
        assert refused(tag.receive, body)
        assert refused(welcome, body, LINK_KEY, HEADER, GATEWAY, 1, b"gw-nonce", HostCipher)
        return
    greeted = refused(tag.receive, _clear(kind & 0x3F, PSEUDONYM, body, LINK_KEY, b"tagnonce"))
    assert greeted == (kind & 0x3F != frames.WELCOME or len(body) < frames.WELCOME_SIZE)
    hello = _clear(kind & 0x3F, PSEUDONYM, body, LINK_KEY)
    answered = refused(welcome, hello, LINK_KEY, HEADER, GATEWAY, 1, b"gw-nonce", HostCipher)
    assert answered == (kind & 0x3F != frames.HELLO or len(body) < frames.HELLO_SIZE)


def handshake_seeds() -> list[bytes]:
    bodies = [bytes([1, kind]) + bytes(size) for kind in (frames.HELLO, frames.WELCOME) for size in (0, 7, 8, 13, 20)]
    stranger = TagHandshake(bytes(16), HEADER, PSEUDONYM, b"tagnonce", HostCipher)
    return [*bodies, b"\x00\x00" + stranger.hello]


# The station.


def build_air() -> Callable[[bytes], None]:
    """Advertisements: raw, and heartbeats that a tag's key sealed round anything, at any time."""
    tag = HandMadeTag()
    station = Station(GATEWAY, [tag.gateway_keys], bytes, home=True)
    now = 0.0

    def take(data: bytes) -> None:
        nonlocal now
        reader = Reader(data)
        genuine = reader.number() & 1
        now += 0.002 * reader.number()  # slowly: each minute a stranger's pseudonym may cost a search of 20 ms
        if genuine:
            kind, counter, slot = reader.number() & 0x3F, reader.number(4), reader.number() % 4
            tag.slot = slot
            frame = seal.seal_frame(kind, tag.pseudonym, counter, reader.rest(), BROADCAST, HEADER, seal.UP)
        else:
            frame = reader.rest()
        station.receive_advertisement(ADDRESS, -60, frame, now)
        station.handle_timer(now)
        while station.next_event() is not None:
            pass

    return take


def air_seeds() -> list[bytes]:
    body = frames.pack_heartbeat((0x61, 0, 90, 0, 3))
    sealed = [bytes([1, 0, frames.HEARTBEAT, 0, 0, 0, at, at % 4]) + body for at in range(8)]
    return [*sealed, bytes([0, 0]) + HandMadeTag().heartbeat(0.0), bytes([0, 9, 0x41]) + bytes(23)]


def build_links() -> Callable[[bytes], None]:
    """Connections at a station: each input is a little story of bytes, greetings, sealed frames, commands, new keys and time."""
    tag, coming = HandMadeTag(), HandMadeTag(secret=bytes(16))
    station = Station(GATEWAY, [tag.gateway_keys], lambda size: bytes(range(size)), home=True)
    now = 0.0
    number = station.open_link(now)

    def drain() -> None:
        while (event := station.next_event()) is not None:
            if isinstance(event, Transmit) and event.link == number and tag._handshake is not None:
                refused(tag.receive, event.data)  # what was sealed before the tag greeted anew is not for it any more
                if answer := tag.acknowledgement():
                    station.receive_data(number, answer, now)
        tag.taken.clear()

    def take(data: bytes) -> None:
        nonlocal now, number, tag, coming
        reader = Reader(data)
        for _ in range(12):
            if not reader:
                break
            step = reader.number() % 9
            if step == 0:
                station.receive_data(number, reader.take(reader.number(2) % 1200), now)
            elif step == 6:
                content = reader.take(reader.number(2) % (link.CONTENT_LIMIT + 1))
                station.receive_data(number, link.encode(content), now)
            elif step == 7:
                station.expect_keys(coming.gateway_keys, now)
            elif step == 8:
                accepted = station.accepted
                station.receive_advertisement(ADDRESS, -60, coming.heartbeat(now), now)
                if station.accepted > accepted:
                    # The tag of the old keys says what it has to say on its line until it greets under the new ones.
                    coming, tag = HandMadeTag(secret=coming.gateway_keys.link), _in_the_place_of(tag, coming)
            elif step == 1:
                station.receive_data(number, tag.hello(now), now)
            elif step == 2 and tag.session is not None and tag.link.room():
                tag.link.send(tag.session.seal(reader.number() & 0x3F, reader.take(reader.number(2) % 528)))
                for line in tag.link.data_to_send(0):
                    station.receive_data(number, line, now)
            elif step == 3:
                now += reader.number()
                station.handle_timer(now)
            elif step == 4:
                station.close_link(number, now)
                number = station.open_link(now, tag.ident if reader.number() & 1 else None)
                tag.session = tag._handshake = None
            elif step == 5:
                station.send_command(tag.ident, reader.take(reader.number(2) % 1200), now)
            drain()

    return take


def _in_the_place_of(old: HandMadeTag, new: HandMadeTag) -> HandMadeTag:
    new._handshake, new.session, new.link = old._handshake, old.session, old.link
    return new


def links_seeds() -> list[bytes]:
    reply = b"\x02" + bytes([frames.REPLY]) + b"\x00\x06" + frames.pack_reply((1, 0))
    record = HandMadeTag().event()
    sent = b"\x02" + bytes([frames.RECORD]) + len(record).to_bytes(2, "big") + record
    command = b"\x05\x00\x1e" + bytes(30)
    long_command = b"\x05\x02\x58" + bytes(600)
    return [
        b"\x01" + reply,
        b"\x01" + reply + sent,
        b"\x01" + reply + command,
        long_command + b"\x01" + reply,
        b"\x01" + reply + b"\x03\xff\x04\x01",
        b"\x00\x00\x10" + bytes(16),
        b"\x01" + reply + b"\x07\x08" + sent + b"\x04\x01\x01" + reply,
        b"\x01\x07\x08" + reply + b"\x01" + reply,
        b"\x01" + reply + b"\x06\x00\x03\xc8\x00\x00" + command,
        b"\x06\x00\x20\xc8\x00\x00\x41" + bytes(28) + b"\x01" + reply,
    ]


# The tag.


def build_commands() -> Callable[[bytes], None]:
    """What a tag's key opens is let through once, and its epoch only rises; nothing else is let through. Parts fill no memory."""
    memory = Flash()
    commands = Commands(Keyring(SECRET, memory, HostCipher), memory, Config.document_limit)

    def take(data: bytes) -> None:
        reader = Reader(data)
        mode = reader.number() % 3
        before = dict(memory.held)
        if mode == 0:
            assert refused(commands.open, reader.rest())
            assert memory.held == before
            return
        kind = KINDS[reader.number() % len(KINDS)] if mode == 1 else reader.number()
        envelope = (kind, reader.number(), reader.number(4), reader.number(4))
        body = reader.rest()
        sealed = seal.seal_envelope(envelope, body, END_TO_END, seal.DOWN)
        if refused(commands.open, sealed):
            assert memory.held == before
        else:
            assert not refused(commands.assemble, kind, body) or kind == frames.PART
            assert sum(len(part) for part in commands._assembly._parts.values()) < Config.document_limit + PART_LIMIT
        assert memory.held.get("epoch", 0) >= before.get("epoch", 0)
        assert refused(commands.open, sealed)

    return take


def commands_seeds() -> list[bytes]:
    return [
        bytes([1, at, 0]) + (1_700_000_000 + at % 3).to_bytes(4, "big") + at.to_bytes(4, "big") + bytes(14)
        for at in range(len(KINDS))
    ]


class PresentKeys:
    """The tag's end-to-end cipher of the moment, as a centre that has sent REKEY works it out."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        return bytes(self._keys.end_to_end.seal(nonce, plaintext, associated))

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        return bytes(self._keys.end_to_end.open(nonce, sealed, associated))


class FuzzedPair(TagPair):
    """A tag and its other end, which follow REKEY together; what was sealed before it the other end passes over."""

    def __init__(self) -> None:
        super().__init__()
        self.centre.cipher = PresentKeys(self.tag._keys)  # type: ignore[assignment] - all that a centre asks of it

    def _greet(self, line: Any, frame: bytes) -> None:
        self.link_key, self.header = self.tag._keys.link_key, self.tag._keys.header
        refused(super()._greet, line, frame)

    def _record(self, bearer: int, line: Any, sealed: bytes) -> None:
        refused(super()._record, bearer, line, sealed)


def build_tag() -> Callable[[bytes], None]:
    """The whole tag: any bytes on its lines, at its key and from its receiver, commands sealed round anything, and time."""
    pair = FuzzedPair()
    pair.connect()

    def take(data: bytes) -> None:
        reader = Reader(data)
        for _ in range(8):
            if not reader:
                break
            step = reader.number() % 8
            if step == 0 and out.BLE in pair.lines:
                pair.line_data(reader.take(reader.number(2) % 1200))
            elif step == 7 and out.BLE in pair.lines:
                pair.line_data(link.encode(reader.take(reader.number(2) % (link.CONTENT_LIMIT + 1))))
            elif step == 1:
                pair.key(reader.take(reader.number()))
            elif step in (2, 3):
                sealed = pair.centre.seal(KINDS[reader.number() % len(KINDS)], reader.take(reader.number() % 64))
                line = pair.lines.get(out.BLE)
                by_line = step == 2 and line is not None and line.session is not None and line.link.room()
                pair.command(sealed) if by_line else pair.key(sealed)
            elif step == 4:
                pair.gnss(reader.take(reader.number()))
            elif step == 5:
                pair.run_to(pair.now + 100 * reader.number())
            elif step == 6:
                pair.disconnect()
                pair.connect()
        for kept in (pair.advertised, pair.sent, pair.arrived, pair.asked):
            kept.clear()

    return take


def tag_seeds() -> list[bytes]:
    index = {kind: at for at, kind in enumerate(KINDS)}
    arm, receipt = frames.pack_arm((1, 2)), frames.pack_receipt((1, 2, 3))
    time = frames.pack_time((bytes(8), 0xFFFFFFFF, 999))
    rekey = frames.pack_rekey((1, bytes(16)))
    part = documents.pack_part((frames.TIME, 7, 1, 2, time))
    sentence = b"$GPRMC,000001,A,4800.0100,N,01131.0000,E,1.0,84.4,030326,,,A*67\r\n"
    return [
        bytes([3, index[frames.ARM], len(arm)]) + arm + b"\x05\xff",
        bytes([2, index[frames.RECEIPT], len(receipt)]) + receipt,
        bytes([2, index[frames.TIME], len(time)]) + time,
        bytes([4, len(sentence)]) + sentence,
        bytes([2, index[frames.REKEY], len(rekey)]) + rekey + b"\x05\xff",
        bytes([2, index[frames.PART], len(part)]) + part,
        bytes([7, 0, 4, 200, 0, 0, 1]),
        b"\x06\x05\x10" + bytes([0, 0, 20]) + bytes(20),
        bytes([1, 30]) + bytes(30),
    ]


TARGETS = [
    Target("seal", lambda: take_seal, seal_seeds, share=60, max_len=600),
    Target("handshake", lambda: take_handshake, handshake_seeds, share=80, max_len=128),
    Target("air", build_air, air_seeds, share=60, max_len=96, lives=5000),
    Target("links", build_links, links_seeds, share=30, max_len=1536, lives=500),
    Target("commands", build_commands, commands_seeds, share=90, max_len=1024, lives=5000),
    Target("tag", build_tag, tag_seeds, share=25, max_len=512, lives=200),
]
