"""The tag: its commands, and the whole of it with its lines, its key, its receiver and its clock."""

from collections.abc import Callable
from typing import Any

from firmware.tag_pair import SECRET, TagPair
from firmware.tag_pair import Memory as Flash
from fuzz.sealed import END_TO_END, KINDS, refused
from fuzz.target import Reader, Target
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs as out
from strapline_tag.commands import Commands
from strapline_tag.config import Config
from strapline_tag.keyring import Keyring
from strapline_wire import documents, frames, link, seal
from strapline_wire.parts import PART_LIMIT


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
    Target("commands", build_commands, commands_seeds, share=90, max_len=1024, lives=5000),
    Target("tag", build_tag, tag_seeds, share=25, max_len=512, lives=200),
]
