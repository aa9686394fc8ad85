"""One connection with a tag, from HELLO on."""

from collections.abc import Callable

from strapline_gateway.enrolment import Enrolled
from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, link
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import Session, welcome

_HELLOS = 8
"""How often HELLO is answered without a frame that proves it: whoever only repeats a recording must not keep us busy."""


class Connection:
    """Frames out of bytes, and the session that opens them.

    HELLO may be a recording, and says nothing: WELCOME only offers a session. The first frame under its key proves it.
    """

    def __init__(
        self, gateway: int, home: bool, entropy: Callable[[int], bytes], now: float, *, called: str | None
    ) -> None:
        self._gateway = gateway
        self._home = home
        self._entropy = entropy
        self._deframer = link.Deframer()
        self._session: Session | None = None
        self._offer: tuple[str, Session] | None = None
        self._hellos = 0
        self.called = called
        """The tag that we called on; None where it called us."""
        self.tag: str | None = None
        """The tag that has proved itself."""
        self.opened_at = self.active_at = now
        self.brought_records = False
        self.took_commands = False
        self.hanging_up = False

    def frames(self, data: bytes) -> list[bytes]:
        """The whole frames in what has come so far."""
        return self._deframer.feed(data)

    def greet(self, frame: bytes, tag: str, enrolled: Enrolled) -> bytes:
        """Answer a HELLO: gives the bytes of WELCOME. Raises `RemoteProtocolError` where it is not this tag's."""
        if self._hellos >= _HELLOS:
            raise RemoteProtocolError("too_many_hellos")
        _, answer, session = welcome(
            frame, enrolled.link_key, enrolled.header, self._gateway, int(self._home), self._entropy(8), HostCipher
        )
        self._hellos += 1
        self._offer = tag, session
        return link.encode(answer)

    def open(self, frame: bytes) -> tuple[int, bytes]:
        """(kind, body) of a frame under the session key; proves the session where it was only offered."""
        if self._session is not None:
            try:
                return self._session.open(frame)
            except RemoteProtocolError:
                if self._offer is None:
                    raise
        if self._offer is None:
            raise RemoteProtocolError("unexpected")
        tag, session = self._offer
        opened = session.open(frame)
        self.tag, self._session, self._offer, self._hellos = tag, session, None, 0
        return opened

    def seal_command(self, sealed: bytes) -> bytes:
        """A sealed command as bytes for the line."""
        assert self._session is not None
        self.took_commands = True
        return link.encode(self._session.seal(frames.COMMAND, sealed))
