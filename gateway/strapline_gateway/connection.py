"""One connection with a tag, from HELLO on."""

from collections.abc import Callable

from strapline_gateway.enrolment import Keyset
from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, link, seal
from strapline_wire.arq import ReliableLink, draw_generation
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import Session, welcome

COMMAND_LIMIT = link.FRAME_LIMIT - frames.HEADER_SIZE - seal.MIC_SIZE
"""Bytes of a sealed command that one frame takes."""

IDLE_S = 3.0
"""A connection that we opened and on which the tag has said nothing for so long is closed."""

CALLER_IDLE_S = 120.0
"""The same where the tag called us: on a line that is paid for, it is the tag that hangs up."""

PROVE_WITHIN_S = 10.0
"""Whoever answers our call shows the tag's key in this time, or keeps it from the tag that waits elsewhere."""

CALLER_PROVE_WITHIN_S = 30.0
"""The same for a caller: a round trip over narrow-band cellular can take ten seconds."""

_HELLOS = 8
"""How often HELLO is answered without a frame that proves it: whoever only repeats a recording must not keep us busy."""

CALLED_RETRY_S = 1.0
"""A line without an acknowledgement goes again, where we called over BLE: ten round trips of two intervals of 50 ms."""

CALLER_RETRY_S = 10.0
"""The same where the tag called us: a round trip over narrow-band cellular can take ten seconds, and each line is paid for."""


class Connection:
    """Frames out of bytes and into them, and the session that opens and seals them. Times are seconds.

    HELLO may be a recording, and says nothing: WELCOME only offers a session. The first frame under its key proves it.
    """

    def __init__(self, gateway: int, entropy: Callable[[int], bytes], now: float, *, called: str | None) -> None:
        self._gateway = gateway
        self._entropy = entropy
        retry_s = CALLER_RETRY_S if called is None else CALLED_RETRY_S
        self._link = ReliableLink(draw_generation(entropy), round(retry_s * 1000))
        self._session: Session | None = None
        self._offer: tuple[str, Keyset, Session] | None = None
        self._hellos = 0
        self.called = called
        """The tag that we called on; None where it called us."""
        self.tag: str | None = None
        """The tag that has proved itself."""
        self.keys: Keyset | None = None
        """Under which it did."""
        self.opened_at = self.active_at = now
        self.brought_records = False
        self.took_commands = False
        self.hanging_up = False

    def frames(self, data: bytes, now: float) -> list[bytes]:
        """The whole frames in what has come so far, in order and each once."""
        return self._link.receive_data(data, _ms(now))

    def lines(self, now: float) -> list[bytes]:
        """What goes on the line now; asked for after everything that may have changed it."""
        return self._link.data_to_send(_ms(now))

    @property
    def has_room(self) -> bool:
        """Whether the line takes another frame before the tag has acknowledged what is on its way."""
        return self._link.room() > 0

    @property
    def has_failed(self) -> bool:
        """The tag acknowledges nothing any more."""
        return self._link.failed

    def next_deadline(self) -> float | None:
        due = self._link.next_deadline()
        return None if due is None else due / 1000

    def handle_timer(self, now: float) -> None:
        self._link.handle_timer(_ms(now))

    def greet(self, frame: bytes, tag: str, keys: Keyset, *, is_home: bool) -> None:
        """Answer a HELLO with a WELCOME, which says whether this is home. Raises `RemoteProtocolError` where it is not this tag's."""
        if not self.has_room:
            raise RemoteProtocolError("no_room")
        if self._hellos >= _HELLOS:
            raise RemoteProtocolError("too_many_hellos")
        _, answer, session = welcome(
            frame, keys.link_key, keys.header, self._gateway, int(is_home), self._entropy(8), HostCipher
        )
        self._hellos += 1
        self._offer = tag, keys, session
        self._link.send(answer)

    def open(self, frame: bytes) -> tuple[int, bytes]:
        """(kind, body) of a frame under the session key; proves the session where it was only offered.

        A session from keys that have ended since opens nothing, proved or not: whoever had those keys has its key too.
        """
        if self._session is not None and self.keys is not None and not self.keys.ended:
            try:
                return self._session.open(frame)
            except RemoteProtocolError:
                if self._offer is None:
                    raise
        if self._offer is None:
            raise RemoteProtocolError("unexpected" if self._session is None else "old_keys")
        tag, keys, session = self._offer
        if keys.ended:
            raise RemoteProtocolError("old_keys")
        opened = session.open(frame)
        self.tag, self.keys, self._session, self._offer, self._hellos = tag, keys, session, None, 0
        return opened

    def send_command(self, sealed: bytes) -> None:
        """Put a sealed command on the line; there must be room."""
        assert self._session is not None
        self.took_commands = True
        self._link.send(self._session.seal(frames.COMMAND, sealed))


def _ms(now: float) -> int:
    return round(now * 1000)
