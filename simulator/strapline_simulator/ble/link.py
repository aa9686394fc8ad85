"""One connection on the air: what is on its way between its two ends, and how it dies of silence."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from bumble import hci
from bumble.controller import Connection

from strapline_simulator.ble.controller import AirController

# How often a quiet connection is looked at. Nothing tells us when nodes move, and a connection is short-lived.
_WATCH_S = 0.5
# How soon data that could not cross is tried again: about one connection event of a slow connection.
_RETRY_S = 0.1
# A timer may fire up to one clock resolution early.
_EARLY_S = 1e-5


class End(NamedTuple):
    """One side of a connection."""

    controller: AirController
    connection: Connection

    @property
    def open(self) -> bool:
        """Whether the controller still has this very connection."""
        return self.controller.le_connections.get(self.connection.peer_address) is self.connection


class Link:
    """Carries packets in order and without loss; holds them while out of reach; ends after `supervision_s` of silence."""

    def __init__(
        self,
        central: End,
        peripheral: End,
        *,
        in_reach: Callable[[], bool],
        supervision_s: float,
        on_closed: Callable[["Link"], None],
    ) -> None:
        self.ends = (central, peripheral)
        self._in_reach = in_reach
        self._supervision_s = supervision_s
        self._on_closed = on_closed
        self._held: deque[tuple[End, Callable[[End], None]]] = deque()
        self._silent_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_WATCH_S, self._watch)

    def carry(self, receiver: End, hand_over: Callable[[End], None]) -> None:
        """Call `hand_over(receiver)` once the packet has crossed, if the receiver is still connected then."""
        self._held.append((receiver, hand_over))
        was_silent = self._silent_since is not None
        self._cross()
        if self._silent_since is not None and not was_silent:
            self._arm(_RETRY_S)

    def _cross(self) -> None:
        """Send what is held, or note since when nothing crosses."""
        if self._in_reach():
            while self._held:
                self._loop.call_soon(self._arrive, *self._held.popleft())
            if all(end.open for end in self.ends):
                self._silent_since = None
                return
        if self._silent_since is None:
            self._silent_since = self._loop.time()

    @staticmethod
    def _arrive(receiver: End, hand_over: Callable[[End], None]) -> None:
        if receiver.open:
            hand_over(receiver)

    def _watch(self) -> None:
        """Look whether the ends still hear each other; the time-out counts from the first look at which they did not."""
        self._cross()
        survivors = [end for end in self.ends if end.open]
        if not survivors:
            self._on_closed(self)
        elif self._silent_since is None:
            self._arm(_WATCH_S)
        elif (left := self._silent_since + self._supervision_s - self._loop.time()) > _EARLY_S:
            self._arm(min(_RETRY_S, left))
        else:
            self._held.clear()
            for end in survivors:
                end.controller.on_le_disconnected(end.connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
            self._on_closed(self)

    def _arm(self, delay_s: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(delay_s, self._watch)
