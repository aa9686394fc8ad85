"""The connections of one gateway: opened, written to, hung up on in time. What comes over them is the station's business."""

from collections import deque
from collections.abc import Callable

from strapline_gateway.connection import (
    CALLER_IDLE_S,
    CALLER_PROVE_WITHIN_S,
    COMMAND_LIMIT,
    IDLE_S,
    PROVE_WITHIN_S,
    Connection,
)
from strapline_gateway.deadlines import Deadlines
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.events import Event, HangUp, Transmit
from strapline_wire import frames

_URGENT = (bytes([frames.LOCATE]), bytes([frames.MESSAGE]))
"""Commands for which a tag is worth waking; the kind is the first byte of the seal's envelope."""


class Conversations:
    """All connections, by number."""

    def __init__(self, tell: Callable[[Event], None], gateway: int, entropy: Callable[[int], bytes]) -> None:
        self._tell = tell
        self._gateway = gateway
        self._entropy = entropy
        self._deadlines: Deadlines[int] = Deadlines()
        self._next = 1
        self.connections: dict[int, Connection] = {}

    def open(self, now: float, called: str | None) -> int:
        """A new one; gives its number."""
        link = self._next
        self._next += 1
        self.connections[link] = Connection(self._gateway, self._entropy, now, called=called)
        self._arm(link)
        return link

    def close(self, link: int) -> Connection:
        """It is gone."""
        self._deadlines.set(link, None)
        return self.connections.pop(link)

    def transmit(self, link: int, now: float) -> None:
        """Write what there is to write, after anything that may have changed it."""
        connection = self.connections[link]
        if not connection.hanging_up:
            for line in connection.lines(now):
                self._tell(Transmit(link, line))
            self._arm(link)

    def deliver(self, link: int, mailbox: deque[bytes], now: float) -> bool:
        """Send as much of a tag's mail as the line takes; whether that was any."""
        connection = self.connections[link]
        if connection.hanging_up:
            return False
        sent = False
        while mailbox and connection.has_room:
            connection.send_command(mailbox.popleft())
            connection.active_at = now
            sent = True
        self.transmit(link, now)
        return sent

    @staticmethod
    def takes(sealed: bytes) -> bool:
        """Whether a frame has room for this command."""
        return bool(len(sealed) <= COMMAND_LIMIT)

    @staticmethod
    def is_urgent(sealed: bytes) -> bool:
        """Whether a tag is to be woken for it."""
        return sealed[:1] in _URGENT

    def hang_up(self, link: int) -> None:
        """Ask for the end of a connection, once."""
        connection = self.connections[link]
        if not connection.hanging_up:
            connection.hanging_up = True
            self._deadlines.set(link, None)
            self._tell(HangUp(link))

    def hang_up_old(self, enrolled: Enrolled) -> None:
        """The connections that the tag has proved under keys that are over."""
        for link, connection in list(self.connections.items()):
            if connection.tag == enrolled.tag and connection.keys is not enrolled.keys:
                self.hang_up(link)

    def hang_up_tag(self, tag: str) -> None:
        """All connections with a tag, and those that were to be with it."""
        for link, connection in list(self.connections.items()):
            if tag in (connection.tag, connection.called):
                self.hang_up(link)

    # Time.

    def _arm(self, link: int) -> None:
        connection = self.connections[link]
        again_at = connection.next_deadline()
        patience = _patience(connection)
        self._deadlines.set(link, patience if again_at is None else min(patience, again_at))

    def next_deadline(self) -> float | None:
        return self._deadlines.soonest()

    def handle_timer(self, now: float) -> None:
        for link in self._deadlines.due(now):
            connection = self.connections[link]
            connection.handle_timer(now)
            if connection.has_failed or now >= _patience(connection):
                self.hang_up(link)
            else:
                self.transmit(link, now)


def _patience(connection: Connection) -> float:
    """Until when a connection may stay as quiet as it is; only frames under the session key prolong it."""
    if connection.tag is None:
        return connection.opened_at + (PROVE_WITHIN_S if connection.called else CALLER_PROVE_WITHIN_S)
    return connection.active_at + (IDLE_S if connection.called else CALLER_IDLE_S)
