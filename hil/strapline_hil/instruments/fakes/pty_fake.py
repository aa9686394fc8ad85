"""What every fake is built on: a pty, a thread that serves it, and what can go wrong with any cable.

A fake acts on its world by callbacks, in its own thread, before it sends the answer that confirms the command.
"""

import os
import pty
import select
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread, current_thread
from types import TracebackType
from typing import Self

from strapline_hil.instruments.fakes.faults import Faults

_MOST_WAITING = 16_000_000
_PORTION = 4096
_CALL_LIMIT_S = 30.0
_SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdigit()}

COMMON_FAULTS = frozenset({"gone", "silent", "garbled"})
"""`gone`: the cable is out, the port with it; put back, it comes under a new name, as on USB. `silent`: it neither acts nor
answers. `garbled`: the top bit of all that it sends is wrong."""


class PtyFake:
    """One instrument; `port` is where its cable ends. Begins and ends as a context manager.

    What fails in a callback silences the fake and is raised at its end.
    """

    own_faults: frozenset[str] = frozenset()
    """Beside `COMMON_FAULTS`."""
    baudrate: int | None = None
    """The only speed at which it understands anything; None: it does not care, as on USB."""
    tick_s: float | None = None
    """How often `tick` is called."""

    def __init__(self) -> None:
        self.port = ""
        self.faults = Faults(COMMON_FAULTS | self.own_faults, self._faults_changed)
        self._near = self._port_end = -1
        self._waiting = bytearray()
        self._calls: list[tuple[Callable[[], None], Event]] = []
        self._watched: dict[int, Callable[[], None]] = {}
        self._lock = Lock()
        self._thread: Thread | None = None
        self._ends = False
        self._error: Exception | None = None

    # What a fake is made of: all of it happens in the fake's thread.

    def received(self, data: bytes) -> None:
        """Bytes from the host, as they come."""

    def tick(self) -> None:
        """Called each `tick_s` at the latest."""

    def plugged_in(self) -> None:
        """The port is there, at the beginning or again: forget half a command."""

    def faults_changed(self) -> None:
        """A fault came or went: show what follows from it at once."""

    def ended(self) -> None:
        """The last thing that happens: give back what the fake has of its own."""

    def send(self, data: bytes) -> None:
        """To the host: at once where it fits, else as it reads; the oldest is lost after 16 MB, and all of it without a cable."""
        if self.faults.strikes("garbled") or not self._speed_fits():
            data = bytes(byte ^ 0x80 for byte in data)
        self._waiting += data
        del self._waiting[: max(0, len(self._waiting) - _MOST_WAITING)]
        if self._near >= 0:
            self._give()

    def watch(self, descriptor: int, readable: Callable[[], None]) -> None:
        """Call when there is something to read there, too."""
        self._watched[descriptor] = lambda: readable()  # noqa: PLW0108 - another one for each time that a number is given out

    def unwatch(self, descriptor: int) -> None:
        self._watched.pop(descriptor, None)

    # For everybody.

    def call(self, action: Callable[[], None]) -> None:
        """Do something in the fake's thread; returns when it is done."""
        if current_thread() is self._thread:
            action()
            return
        done = Event()
        with self._lock:
            if self._ends:
                raise RuntimeError(f"{type(self).__name__} has ended")
            self._calls.append((action, done))
        os.write(self._wake, b"\0")
        if not done.wait(_CALL_LIMIT_S):
            raise TimeoutError(f"{type(self).__name__}: its thread hangs in a callback")

    def __enter__(self) -> Self:
        self._wakened, self._wake = os.pipe()
        self._set_cable()
        self._thread = Thread(target=self._serve, name=type(self).__name__)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ends = True
        os.write(self._wake, b"\0")
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        os.close(self._wake)
        os.close(self._wakened)
        if self._error is not None:
            raise self._error

    # The cable.

    def _faults_changed(self) -> None:
        if self._thread is not None:
            self.call(self._show_faults)

    def _show_faults(self) -> None:
        self._set_cable()
        self.faults_changed()

    def _set_cable(self) -> None:
        if self._port_end < 0 or ("gone" not in self.faults and self._near < 0):
            self._plug()
        if "gone" in self.faults:
            self._unplug()

    def _plug(self) -> None:
        near, port_end = pty.openpty()
        tty.setraw(port_end)
        os.set_blocking(near, False)
        self._close_port_end()
        self._waiting.clear()
        self._near, self._port_end = near, port_end
        self.port = os.ttyname(port_end)
        self.plugged_in()

    def _unplug(self) -> None:
        """The port's name vanishes; the end of it stays open, so that no other port gets that name."""
        if self._near >= 0:
            os.close(self._near)
            self._near = -1

    def _close_port_end(self) -> None:
        if self._port_end >= 0:
            os.close(self._port_end)
            self._port_end = -1

    def _speed_fits(self) -> bool:
        if self.baudrate is None or self._near < 0:
            return True
        return _SPEEDS.get(termios.tcgetattr(self._port_end)[5]) == self.baudrate

    # The thread.

    def _serve(self) -> None:
        try:
            while not self._ends:
                self._turn()
        except Exception as error:  # noqa: BLE001 - whatever a callback meets: told at the end, to the one who waits there
            self._error = error
        finally:
            self._let_go()

    def _turn(self) -> None:
        watched = dict(self._watched)
        reading = [self._wakened, *watched, *([self._near] if self._near >= 0 else [])]
        writing = [self._near] if self._near >= 0 and self._waiting else []
        readable, writable, _ = select.select(reading, writing, [], self.tick_s)
        for descriptor in readable:
            # What was read before may have closed this one, and its number may be another's by now: that one would wait for ever.
            if descriptor in watched and self._watched.get(descriptor) is watched[descriptor]:
                watched[descriptor]()
        if self._near in readable:
            self._take()
        if self._near in writable and self._near >= 0:  # what came may have taken the cable out
            self._give()
        if self._wakened in readable:
            self._answer_calls()
        if self.tick_s is not None and "silent" not in self.faults:
            self.tick()

    def _take(self) -> None:
        data = os.read(self._near, _PORTION)
        if not self._speed_fits():
            data = bytes(byte ^ 0x80 for byte in data)
        if not self.faults.strikes("silent"):
            self.received(data)

    def _give(self) -> None:
        with suppress(BlockingIOError):
            while self._waiting:
                del self._waiting[: os.write(self._near, self._waiting[:_PORTION])]

    def _answer_calls(self) -> None:
        os.read(self._wakened, _PORTION)
        with self._lock:
            calls, self._calls = self._calls, []
        for action, done in calls:
            try:
                action()
            finally:
                done.set()

    def _let_go(self) -> None:
        """Nobody waits for a thread that has ended."""
        try:
            self.ended()
        except Exception as error:  # noqa: BLE001 - as above
            self._error = self._error or error
        self._unplug()
        self._close_port_end()
        with self._lock:
            self._ends, calls = True, self._calls
            self._calls = []
        for _, done in calls:
            done.set()
