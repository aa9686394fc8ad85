"""One connection with a tag, from HELLO on."""

from collections.abc import Callable

from strapline_gateway.enrolment import Enrolled
from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, link
from strapline_wire.session import Session, welcome


class Connection:
    """Frames out of bytes, and the session that opens them."""

    def __init__(
        self, gateway: int, home: bool, entropy: Callable[[int], bytes], now: float, *, called: str | None
    ) -> None:
        self._gateway = gateway
        self._home = home
        self._entropy = entropy
        self._deframer = link.Deframer()
        self.called = called
        """The tag that we called on; None where it called us."""
        self.tag: str | None = None
        self.session: Session | None = None
        self.active_at = now
        self.hanging_up = False

    def frames(self, data: bytes) -> list[bytes]:
        """The whole frames in what has come so far."""
        return self._deframer.feed(data)

    def greet(self, frame: bytes, tag: str, enrolled: Enrolled) -> bytes:
        """Answer a HELLO: gives the bytes of WELCOME. Raises `RemoteProtocolError` where it is not this tag's."""
        _, answer, session = welcome(
            frame, enrolled.link_key, enrolled.header, self._gateway, int(self._home), self._entropy(8), HostCipher
        )
        self.session = session
        self.tag = tag
        return link.encode(answer)

    def open(self, frame: bytes) -> tuple[int, bytes]:
        """(kind, body) of a frame under the session key."""
        assert self.session is not None
        return self.session.open(frame)

    def seal_command(self, sealed: bytes) -> bytes:
        """A sealed command as bytes for the line."""
        assert self.session is not None
        return link.encode(self.session.seal(frames.COMMAND, sealed))
