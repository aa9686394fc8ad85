"""Threads in which instruments are acted on: a driver waits for its instrument, and the gateway must not wait with it."""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from strapline_hil.rig.real.turns import EndedError
from strapline_hil.verdict import RigError

T = TypeVar("T")


class Lane:
    """One deed after the other, in a thread of its own. What fails is kept for `raise_failure`."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.late_s = math.inf
        """What begins later than this is a `RigError`."""
        self._name = name
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"strapline-{name}")
        self._newest: list[Callable[[], object]] = []
        self._failure: BaseException | None = None

    def soon(self, what: str, deed: Callable[[], object]) -> None:
        """In its turn, and not later than `late_s`."""
        asked_s = self._clock()

        def done() -> None:
            late_s = self._clock() - asked_s
            if late_s > self.late_s:
                raise RigError(
                    self._name,
                    f"{what} came {late_s:.1f} s late: the instrument before it took so long",
                    "give the slow instrument a port of its own, or let the scenario do less at once",
                )
            deed()

        self._submit(done)

    def patiently(self, deed: Callable[[], object]) -> None:
        """In its turn, whenever that is."""
        self._submit(deed)

    def newest(self, deed: Callable[[], object]) -> None:
        """In its turn, unless another one comes before that: only the last counts."""
        self._newest.append(deed)
        self._submit(self._do_newest)

    def act(self, deed: Callable[[], T]) -> T:
        """In its turn, and waited for."""
        return self._thread.submit(deed).result()

    def raise_failure(self) -> None:
        """Of what nobody waited for."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """What has not begun is left undone."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _do_newest(self) -> None:
        if self._newest:
            deed = self._newest[-1]
            self._newest.clear()
            deed()

    def _submit(self, deed: Callable[[], object]) -> None:
        def guarded() -> None:
            try:
                deed()
            except EndedError:
                pass
            except BaseException as error:  # noqa: BLE001 - the top of a thread: kept for whoever looks next
                self._failure = self._failure or error

        self._thread.submit(guarded)
