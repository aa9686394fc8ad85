"""One connection on the air: what is on its way between its two ends, and how it dies of silence."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

# How often a quiet connection is looked at. Nothing tells us when nodes move, and a connection is short-lived.
_WATCH_S = 0.5
# How soon data that could not cross is tried again: about one connection event of a slow connection.
_RETRY_S = 0.1
# A timer may fire up to one clock resolution early.
_EARLY_S = 1e-5


class End(Protocol):
    """One side of a connection."""

    @property
    def open(self) -> bool:
        """Whether the node still has this very connection."""

    def time_out(self) -> None:
        """The connection has been silent for too long: this side closes."""


E = TypeVar("E", bound=End)


class Link(Generic[E]):
    """Carries packets in order and without loss; holds them while out of reach; ends after `supervision_s` of silence."""

    def __init__(
        self,
        central: E,
        peripheral: E,
        *,
        in_reach: Callable[[], bool],
        supervision_s: float,
        on_closed: Callable[["Link[E]"], None],
    ) -> None:
        self.ends = (central, peripheral)
        self._in_reach = in_reach
        self._supervision_s = supervision_s
        self._on_closed = on_closed
        self._held: deque[tuple[E, Callable[[E], None]]] = deque()
        self._silent_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_WATCH_S, self._watch)

    def carry(self, receiver: E, hand_over: Callable[[E], None]) -> None:
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
    def _arrive(receiver: E, hand_over: Callable[[E], None]) -> None:
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
                end.time_out()
            self._on_closed(self)

    def _arm(self, delay_s: float) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_later(delay_s, self._watch)
