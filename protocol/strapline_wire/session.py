# One connection between a tag and a gateway: HELLO, WELCOME, then sealed frames under a key of its own, counters from 0.
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError
from strapline_wire.hkdf import hmac_sha256, same
from strapline_wire.keys import session_key
from strapline_wire.replay import ReplayWindow


def _clear(kind: int, pseudonym: int, body: bytes, link_key: bytes, context: bytes = b"") -> bytes:
    frame = bytes(((seal.VERSION << 6) | kind,)) + pseudonym.to_bytes(4, "big") + body
    return frame + hmac_sha256(link_key, context + frame)[: seal.MIC_SIZE]


def _read_clear(frame: bytes, link_key: bytes, context: bytes = b"") -> bytes:
    if len(frame) < 5 + seal.MIC_SIZE:
        raise RemoteProtocolError("truncated")
    if not same(hmac_sha256(link_key, context + frame[: -seal.MIC_SIZE])[: seal.MIC_SIZE], frame[-seal.MIC_SIZE :]):
        raise RemoteProtocolError("forged")
    return frame[5 : -seal.MIC_SIZE]


class Session:
    # The sealed part; `make_cipher(key)` gives a cipher. The tag sends UP, the gateway DOWN.
    def __init__(self, key: bytes, header, pseudonym: int, sends: int, make_cipher):
        self._cipher = make_cipher(key)
        self._header = header
        self._pseudonym = pseudonym
        self._sends = sends
        self._counter = 0
        self._window = ReplayWindow()

    def seal(self, kind: int, body: bytes) -> bytes:
        counter = self._counter
        self._counter = counter + 1
        return seal.seal_frame(kind, self._pseudonym, counter, body, self._cipher, self._header, self._sends)

    def open(self, frame: bytes) -> "tuple[int, bytes]":
        # (kind, body)
        kind, _ = seal.peek(frame)
        _, body = seal.open_frame(frame, self._cipher, self._header, 1 - self._sends, self._window)
        return kind, body


class TagHandshake:
    # The tag speaks first: on TCP a gateway learns only from HELLO whose connection it is.
    def __init__(self, link_key: bytes, header, pseudonym: int, nonce: bytes, make_cipher):
        self._link_key = link_key
        self._header = header
        self._pseudonym = pseudonym
        self._nonce = nonce
        self._make_cipher = make_cipher
        self.hello = _clear(frames.HELLO, pseudonym, frames.pack_hello((nonce,)), link_key)

    def receive(self, frame: bytes) -> tuple:
        # (welcome, session), once: a second session from the same WELCOME would use the nonces of the first again.
        kind, _ = seal.peek(frame)
        if kind != frames.WELCOME or not self._nonce:
            raise RemoteProtocolError("unexpected")
        welcome = frames.unpack_welcome(_read_clear(frame, self._link_key, self._nonce))
        key = session_key(self._link_key, welcome.gateway, self._nonce, welcome.nonce)
        self._nonce = b""
        return welcome, Session(key, self._header, self._pseudonym, seal.UP, self._make_cipher)


def welcome(frame: bytes, link_key: bytes, header, gateway: int, flags: int, nonce: bytes, make_cipher) -> tuple:
    # The gateway's answer to a HELLO: (hello, WELCOME frame, session). The nonce is 8 fresh random bytes.
    if len(nonce) != 8:
        raise LocalProtocolError("a nonce has 8 bytes", len(nonce))
    kind, pseudonym = seal.peek(frame)
    if kind != frames.HELLO:
        raise RemoteProtocolError("unexpected")
    hello = frames.unpack_hello(_read_clear(frame, link_key))
    answer = _clear(frames.WELCOME, pseudonym, frames.pack_welcome((gateway, nonce, flags)), link_key, hello.nonce)
    key = session_key(link_key, gateway, hello.nonce, nonce)
    return hello, answer, Session(key, header, pseudonym, seal.DOWN, make_cipher)
