"""What is wrong with a fake at the moment."""

from collections.abc import Callable
from threading import Lock


class Faults:
    """Faults by name, put in and taken out from any thread; a name that the fake does not know is a ValueError."""

    def __init__(self, known: frozenset[str], changed: Callable[[], None]) -> None:
        self.known = known
        self._changed = changed
        self._left: dict[str, int | None] = {}
        self._lock = Lock()

    def add(self, fault: str, *, times: int | None = None) -> None:
        """From now on; with `times`, for so many occurrences."""
        if fault not in self.known:
            raise ValueError(f"{fault}: this fake knows {', '.join(sorted(self.known))}")
        with self._lock:
            self._left[fault] = times
        self._changed()

    def discard(self, fault: str) -> None:
        with self._lock:
            self._left.pop(fault, None)
        self._changed()

    def clear(self) -> None:
        with self._lock:
            self._left.clear()
        self._changed()

    def __contains__(self, fault: str) -> bool:
        with self._lock:
            return fault in self._left

    def strikes(self, fault: str) -> bool:
        """Whether it is there, which counts as one occurrence."""
        with self._lock:
            if fault not in self._left:
                return False
            left = self._left[fault]
            if left is not None:
                self._left[fault] = left - 1
                if left <= 1:
                    del self._left[fault]
            return True
