"""When what is due: one moment for each key, the soonest first. Moving one costs no more with ten thousand others."""

from collections.abc import Hashable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Deadlines(Generic[Key]):
    """A heap whose entries are looked at again when they come up: a moment that only moves on costs nothing until then."""

    def __init__(self) -> None:
        self._when: dict[Key, float] = {}
        self._queued: dict[Key, float] = {}
        """The soonest entry of each key in the heap."""
        self._heap: list[tuple[float, int, Key]] = []
        self._order = count()

    def set(self, key: Key, when: float | None) -> None:
        """From now on this key is due then; None: never."""
        if when is None:
            self._when.pop(key, None)
            return
        self._when[key] = when
        queued = self._queued.get(key)
        if queued is None or when < queued:
            self._push(key, when)

    def _push(self, key: Key, when: float) -> None:
        self._queued[key] = when
        heappush(self._heap, (when, next(self._order), key))

    def soonest(self) -> float | None:
        """The first moment at which something is due."""
        while self._heap:
            queued, _, key = self._heap[0]
            when = self._when.get(key)
            if when == queued:
                return when
            heappop(self._heap)
            if self._queued.get(key) == queued:
                del self._queued[key]
                if when is not None:
                    self._push(key, when)
        return None

    def due(self, now: float) -> list[Key]:
        """What is due by now, the soonest first; it is so no longer."""
        keys = []
        while (soonest := self.soonest()) is not None and soonest <= now:
            _, _, key = heappop(self._heap)
            del self._queued[key]
            del self._when[key]
            keys.append(key)
        return keys
