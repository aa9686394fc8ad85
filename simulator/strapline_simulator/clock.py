"""One virtual clock: an asyncio loop whose time jumps to the next thing that can happen.

It is not a scheduler of its own: timers, tasks and sockets stay asyncio's, so that the code under test cannot tell the difference.
"""

import asyncio
import heapq
import itertools
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

# Waiting longer than this for a message that is in flight means that it was lost, and a run must not hang on it.
HOLD_LIMIT_S = 30.0

_ASK_EVERY = 16
"""Turns of a loop that has work to do; before time moves the system is always asked."""


class Actor(Protocol):
    """A state machine outside asyncio that the clock carries along, such as a tag's firmware.

    The clock lets it run ahead to the moment before anything else can happen, so that a quiet stretch costs one call.
    """

    def next_deadline(self) -> float | None:
        """The loop time at which it wants to run next, or None."""

    def advance(self, until: float) -> float | None:
        """Run all timers up to `until` (loop time); stop at the first output and say when that was, or None."""

    def deliver(self) -> None:
        """Hand over the outputs that stopped `advance`; called at their time."""


class HoldExpiredError(RuntimeError):
    """A message stayed in flight for longer than `HOLD_LIMIT_S` of real time."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls the real selector, and jumps where asyncio would have slept."""

    def __init__(self, clock: "VirtualClockLoop") -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock
        self._unasked = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if (
            timeout is not None and timeout <= 0
        ):  # the loop has work: the system is asked now and then, so that a busy loop still hears
            self._unasked = (self._unasked + 1) % _ASK_EVERY
            return [] if self._unasked else self._real.select(0)
        if ready := self._real.select(0):
            return ready
        if self._clock.let_couriers_deliver():
            return []
        if self._clock.holds:
            return self._wait_for_flight()
        self._clock.jump(timeout)
        return []

    def _wait_for_flight(self) -> list[tuple[selectors.SelectorKey, int]]:
        limit = time.monotonic() + HOLD_LIMIT_S
        while not (ready := self._real.select(0.5)):
            if time.monotonic() > limit:
                raise HoldExpiredError(
                    f"a message was in flight for over {HOLD_LIMIT_S:.0f} s: {self._clock.hold_names()}"
                )
        return ready


_DIGITS = 6
"""Time has whole microseconds, so that what is due at one moment is due at one number, however its sum was rounded."""


class _Timer(asyncio.TimerHandle):
    """Of several that are due at one moment, the first that was set is the first; asyncio's heap keeps no order among them."""

    __slots__ = ("_number",)

    def __init__(
        self,
        number: int,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self._number = number

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Timer)
        mine, theirs = self.when(), other.when()
        return self._number < other._number if mine == theirs else mine < theirs


class VirtualClockLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time; `time()` starts at 0.0 s and only moves when nothing is ready and nothing is in flight."""

    def __init__(self) -> None:
        self._now = 0.0
        self._holds: dict[str, int] = {}
        self._actors: list[Actor] = []
        self._couriers: list[Callable[[], bool]] = []
        super().__init__(_JumpingSelector(self))
        # asyncio fires timers up to one resolution early: less than one step of this clock.
        self._clock_resolution = 1e-7
        self._numbers = itertools.count()

    def call_at(  # type: ignore[override]  # typeshed ties the arguments to the callback's
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]  # as asyncio's own call_at, but for the timer's class
        at = round(when, _DIGITS)
        if at <= self._now < when:
            at = round(
                self._now + 10**-_DIGITS, _DIGITS
            )  # who is woken before his moment would ask for it again, for ever
        timer = _Timer(next(self._numbers), at, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001 - the loop looks whether it is in the heap
        return timer

    def time(self) -> float:
        return self._now

    @property
    def holds(self) -> int:
        """How many messages are in flight outside virtual time."""
        return sum(self._holds.values())

    def hold_names(self) -> str:
        return ", ".join(sorted(name for name, count in self._holds.items() if count))

    def hold(self, name: str) -> None:
        """Stop the clock until `release(name)`: something is on its way that virtual time does not carry."""
        self._holds[name] = self._holds.get(name, 0) + 1

    def release(self, name: str) -> None:
        """Undo one `hold`; releasing what is not held is ignored, because a broker may deliver a message twice."""
        if self._holds.get(name, 0) > 1:
            self._holds[name] -= 1
        else:
            self._holds.pop(name, None)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        self.hold(name)
        try:
            yield
        finally:
            self.release(name)

    def add_courier(self, courier: Callable[[], bool]) -> None:
        """Ask it, whenever nothing is ready and before time moves, whether it has made something ready (by `call_soon`)."""
        self._couriers.append(courier)

    def remove_courier(self, courier: Callable[[], bool]) -> None:
        self._couriers.remove(courier)

    def let_couriers_deliver(self) -> bool:
        delivered = [courier() for courier in self._couriers]
        return any(delivered)

    def add_actor(self, actor: Actor) -> None:
        self._actors.append(actor)

    def remove_actor(self, actor: Actor) -> None:
        self._actors.remove(actor)

    def jump(self, timeout: float | None) -> None:
        """Go to the earliest of the next timer and the first output of an actor."""
        horizon = None if timeout is None else round(self._now + timeout, _DIGITS)
        while (first := self._earliest()) is not None:
            deadline, actor = first
            if horizon is not None and deadline > horizon:
                break
            others = [d for other in self._actors if other is not actor and (d := other.next_deadline()) is not None]
            limit = min([*others, *([] if horizon is None else [horizon])], default=deadline)
            stopped = actor.advance(max(deadline, limit))
            if stopped is not None:
                self._now = max(self._now, round(stopped, _DIGITS))
                self.call_soon(actor.deliver)
                return
        if horizon is None:
            raise RuntimeError("the simulation has nothing left to do: no timer, no actor, nothing in flight")
        self._now = max(self._now, horizon)

    def _earliest(self) -> tuple[float, Actor] | None:
        best: tuple[float, Actor] | None = None
        for actor in self._actors:
            deadline = actor.next_deadline()
            if deadline is not None and (best is None or deadline < best[0]):
                best = deadline, actor
        return best


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a fresh virtual clock and give its result.

    An exception that nobody caught, in a callback or a forgotten task, ends the run and is raised: a simulation that went on would
    report on a chain that is broken.
    """
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(watched(main))


async def watched(main: Coroutine[Any, Any, T]) -> T:
    """`main`, ended and raised by whatever nobody else catches on its loop."""
    task = asyncio.ensure_future(main)
    failures: list[BaseException] = []

    def fail(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failures.append(context.get("exception") or RuntimeError(context["message"]))
        task.cancel()

    asyncio.get_running_loop().set_exception_handler(fail)
    try:
        result = await task
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    if failures:
        raise failures[0]
    return result
