"""Frames at one tag, opened in their order with its test secret: what each said, row by row."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import Kind
from strapline_protocol.decode import Row, body_rows, decode, unpack
from strapline_protocol.keys import CentreKeys, GatewayKeys, centre_keys, gateway_keys
from strapline_protocol.rekeying import next_generation
from strapline_simulator.taps import Passage
from strapline_tag.outputs import BLE
from strapline_wire import seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.hkdf import hmac_sha256, same
from strapline_wire.keys import session_key
from strapline_wire.replay import ReplayWindow

_ADDRESS_SIZE = 6
_WAYS = {None: "advertisement", BLE: "BLE connection"}


def way_of(passage: Passage) -> str:
    """By what it went, in words."""
    return _WAYS.get(passage.bearer, "cellular connection")


class Opened(NamedTuple):
    """What a frame holds: a body, or an envelope and what that one sealed."""

    kind: int
    counter: int
    body: bytes
    envelope: Any = None
    """Its head, as `seal.peek_envelope` gives it."""
    inner: bytes = b""


class Opener:
    """Follows one tag's conversations: a session's key comes of its HELLO and WELCOME, a tag's next keys of REKEY."""

    def __init__(self, tag: str, secret: bytes) -> None:
        self._generations: list[tuple[GatewayKeys, CentreKeys]] = [
            (gateway_keys(tag, secret), centre_keys(tag, secret))
        ]
        self._hello: dict[int, tuple[bytes, bytes]] = {}
        """By bearer: the link key that it is under, and its nonce."""
        self._sessions: dict[int, HostCipher] = {}

    def open(self, passage: Passage) -> Opened | None:
        """What a frame holds; None for HELLO and WELCOME, which seal nothing. Raises `RemoteProtocolError` for what does not open."""
        data, bearer = frame_of(passage), passage.bearer
        kind, _ = seal.peek(data)
        if bearer is None:
            return self._heartbeat(kind, data)
        if kind in (Kind.HELLO, Kind.WELCOME):
            self._greet(bearer, kind, data)
            return None
        direction = seal.UP if passage.sent else seal.DOWN
        counter, body = self._open(self._sessions.get(bearer), data, direction)
        if kind in (Kind.RECORD, Kind.COMMAND):
            return Opened(kind, counter, body, *self._envelope(body, direction))
        return Opened(kind, counter, body)

    def _heartbeat(self, kind: int, data: bytes) -> Opened:
        for shared, _ in reversed(self._generations):
            ciphers = HostCipher(shared.broadcast), HostCipher(shared.header)
            try:
                return Opened(kind, *seal.open_frame(data, *ciphers, seal.UP, ReplayWindow()))
            except RemoteProtocolError:
                continue
        raise RemoteProtocolError("forged")

    def _greet(self, bearer: int, kind: int, data: bytes) -> None:
        body = unpack(kind, data[5 : -seal.MIC_SIZE])
        if kind == Kind.HELLO:
            self._hello[bearer] = self._link_key(data), body.nonce
            self._sessions.pop(bearer, None)
        elif bearer in self._hello:
            link_key, nonce = self._hello.pop(bearer)
            self._sessions[bearer] = HostCipher(session_key(link_key, body.gateway, nonce, body.nonce))

    def _link_key(self, hello: bytes) -> bytes:
        told, mac = hello[: -seal.MIC_SIZE], hello[-seal.MIC_SIZE :]
        for shared, _ in self._generations:
            if same(hmac_sha256(shared.link, told)[: seal.MIC_SIZE], mac):
                return shared.link
        raise RemoteProtocolError("forged")

    def _open(self, cipher: HostCipher | None, data: bytes, direction: int) -> tuple[int, bytes]:
        for shared, _ in reversed(self._generations) if cipher is not None else ():
            try:
                return seal.open_frame(data, cipher, HostCipher(shared.header), direction, ReplayWindow())
            except RemoteProtocolError:
                continue
        raise RemoteProtocolError("forged")

    def _envelope(self, sealed: bytes, direction: int) -> tuple[Any, bytes]:
        for _, own in reversed(self._generations):
            try:
                envelope, body = seal.open_envelope(sealed, HostCipher(own.end_to_end), direction)
            except RemoteProtocolError:
                continue
            if envelope.kind == Kind.REKEY:
                self._renew(body)
            return envelope, body
        raise RemoteProtocolError("forged")

    def _renew(self, body: bytes) -> None:
        order = unpack(Kind.REKEY, body)
        if order.generation == len(self._generations):  # else it was sent again
            known = next_generation(self._generations[-1][1], order.generation, order.salt)
            self._generations.append((known.gateways, known.centre))


class Reader:
    """Explains a tag's frames, one after the other."""

    def __init__(self, tag: str, secret: bytes) -> None:
        self._opener = Opener(tag, secret)

    def follow(self, passages: Iterable[Passage]) -> None:
        """Take note of what came before the frame that is asked for."""
        for passage in passages:
            if passage.bearer is not None:
                with suppress(RemoteProtocolError):
                    self._opener.open(passage)

    def read(self, passage: Passage) -> list[Row]:
        """Explain a frame: what it says where the tag's keys open it, else its bytes."""
        start = [Row("way", way_of(passage))]
        data = frame_of(passage)
        if passage.bearer is None:
            start.append(Row("address", passage.data[:_ADDRESS_SIZE].hex(":")))
        try:
            opened = self._opener.open(passage)
            rows = decode(data)
        except RemoteProtocolError as error:
            return [*start, Row("opened", "no", error.reason), Row("bytes", data.hex())]
        if opened is None:
            return [*start, *rows]
        start += [*rows[:2], Row("counter", str(opened.counter))]
        if opened.envelope is None:
            return start + body_rows(opened.kind, opened.body)
        return start + decode(opened.body)[:3] + body_rows(opened.envelope.kind, opened.inner)


def frame_of(passage: Passage) -> bytes:
    """The frame alone, without an advertisement's address."""
    return passage.data[_ADDRESS_SIZE:] if passage.bearer is None else passage.data
