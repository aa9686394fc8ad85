"""Frames at one tag, opened in their order with its test secret: what each said, row by row."""

from collections.abc import Iterable

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


class Reader:
    """Follows one tag's conversations: a session's key comes of its HELLO and WELCOME, a tag's next keys of REKEY."""

    def __init__(self, tag: str, secret: bytes) -> None:
        self._generations: list[tuple[GatewayKeys, CentreKeys]] = [
            (gateway_keys(tag, secret), centre_keys(tag, secret))
        ]
        self._hello: dict[int, tuple[bytes, bytes]] = {}
        """By bearer: the link key that it is under, and its nonce."""
        self._sessions: dict[int, HostCipher] = {}

    def follow(self, passages: Iterable[Passage]) -> None:
        """Read what came before the frame that is asked for."""
        for passage in passages:
            if passage.bearer is not None:
                self.read(passage)

    def read(self, passage: Passage) -> list[Row]:
        """Explain a frame: what it says where these keys open it, else its bytes."""
        start = [Row("way", way_of(passage))]
        data = passage.data
        if passage.bearer is None:
            start.append(Row("address", data[:_ADDRESS_SIZE].hex(":")))
            data = data[_ADDRESS_SIZE:]
        try:
            rows = decode(data)[:2]
            return [*start, *rows, *self._opened(passage, data)]
        except RemoteProtocolError as error:
            return [*start, Row("opened", "no", error.reason), Row("bytes", data.hex())]

    def _opened(self, passage: Passage, data: bytes) -> list[Row]:
        kind, _ = seal.peek(data)
        bearer = passage.bearer
        if bearer is None:
            return self._heartbeat(kind, data)
        if kind in (Kind.HELLO, Kind.WELCOME):
            self._greet(bearer, kind, data)
            return decode(data)[2:]
        direction = seal.UP if passage.sent else seal.DOWN
        counter, body = self._open(self._sessions.get(bearer), data, direction)
        rows = [Row("counter", str(counter))]
        if kind in (Kind.RECORD, Kind.COMMAND):
            return rows + self._envelope(body, direction)
        return rows + body_rows(kind, body)

    def _heartbeat(self, kind: int, data: bytes) -> list[Row]:
        for shared, _ in reversed(self._generations):
            try:
                counter, body = seal.open_frame(
                    data, HostCipher(shared.broadcast), HostCipher(shared.header), seal.UP, ReplayWindow()
                )
            except RemoteProtocolError:
                continue
            return [Row("counter", str(counter)), *body_rows(kind, body)]
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

    def _envelope(self, sealed: bytes, direction: int) -> list[Row]:
        about = decode(sealed)[:3]
        for _, own in reversed(self._generations):
            try:
                envelope, body = seal.open_envelope(sealed, HostCipher(own.end_to_end), direction)
            except RemoteProtocolError:
                continue
            if envelope.kind == Kind.REKEY:
                self._renew(body)
            return about + body_rows(envelope.kind, body)
        raise RemoteProtocolError("forged")

    def _renew(self, body: bytes) -> None:
        order = unpack(Kind.REKEY, body)
        if order.generation == len(self._generations):  # else it was sent again
            known = next_generation(self._generations[-1][1], order.generation, order.salt)
            self._generations.append((known.gateways, known.centre))
