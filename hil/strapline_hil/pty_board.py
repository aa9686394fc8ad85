"""A board on a pseudo-terminal: MicroPython's unix port, and around it what a board has and that port lacks.

A soft reset begins it anew, Ctrl-C stops what runs, it has a unique id and `machine.reset()`, runs `boot.py` and `main.py`, can be
unplugged and lose its power. Its flash is a folder. It has no pins and no radio, and a path that begins with / is the host's.
"""

import hashlib
import os
import pty
import select
import tty
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Self

from strapline_hil.pty_process import BEGINS, PtyProcess

CTRL_A, CTRL_C = b"\x01", b"\x03"

# What decides in which of its two prompts a board is: what it has said last.
_RAW, _FRIENDLY = b"raw REPL; CTRL-B to exit\r\n", b"\n>>> "

_MOST_WAITING = 65_536
"""Bytes that wait for whoever does not read; then the writer waits. Nothing is dropped, as a line with flow control would not."""


class _Phase(Enum):
    """The unix port throws away what came before its prompt; a board does not. So it waits here meanwhile."""

    BOOTS = auto()
    RUNS = auto()  # boot.py or main.py
    ENDS = auto()  # interrupted
    READY = auto()  # it has been at its prompt


class PtyBoard:
    """`port` is where its serial line ends; it lives until `close`, or for a `with`.

    All its state belongs to one thread. `unique_id` follows from the folder's path unless given.
    """

    def __init__(self, folder: Path | str, *, unique_id: bytes = b"") -> None:
        self._folder = Path(folder).resolve()
        self.unique_id = unique_id or hashlib.sha256(bytes(self._folder)).digest()[:8]
        self.starts = 0
        """How often MicroPython began."""
        self._process: PtyProcess | None = None
        self._near = self._far_end = -1
        self._phase, self._held = _Phase.BOOTS, b""
        self._is_raw, self._enters_raw, self._said = False, False, b""
        self._to_board, self._to_host = b"", b""
        self._orders: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._is_open = True
        self.port = ""
        self._start()
        self._plug()
        self._wakened, self._wake = os.pipe()
        # A daemon: where a program ends without closing its board, the board's terminal goes and MicroPython with it.
        self._thread = Thread(target=self._serve, name=f"board at {self.port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        if not self._thread.is_alive():
            return
        self._order(self._end)
        self._thread.join()
        os.close(self._wake)
        os.close(self._wakened)

    def power_off(self) -> None:
        """From one moment to the next. The port stays, as that of a serial bridge does, and nothing answers."""
        self._order(self._stop)

    def power_on(self) -> None:
        self._order(self._power_up)

    def unplug(self) -> None:
        """The port goes; MicroPython goes on, as on a board with a battery."""
        self._order(self._unplug)

    def plug(self) -> str:
        """Plugged in again: gives the port, which may have another name than before."""
        self._order(self._plug)
        return self.port

    # Below here all is the thread's.

    def _order(self, act: Callable[[], object]) -> None:
        """Have the thread do it, and wait until it has."""
        done = Event()

        def obey() -> None:
            try:
                act()
            finally:
                done.set()

        self._orders.put(obey)
        os.write(self._wake, b"!")
        done.wait()

    def _serve(self) -> None:
        while self._is_open:
            readable, writable, _ = select.select([self._wakened, *self._heard()], self._spoken_to(), [])
            if self._wakened in readable:
                os.read(self._wakened, 1)
                self._orders.get()()
                continue  # what was readable may be closed by now
            if self._near in readable:
                self._receive(_read(self._near))
            if self._process and self._process.line in readable:
                self._emit(_read(self._process.line))
            self._flush(writable)

    def _heard(self) -> list[int]:
        """Whose bytes there is room for."""
        ends = [self._near] if self._near >= 0 and len(self._to_board) + len(self._held) < _MOST_WAITING else []
        return [*ends, self._process.line] if self._process and len(self._to_host) < _MOST_WAITING else ends

    def _spoken_to(self) -> list[int]:
        ends = [self._near] if self._near >= 0 and self._to_host else []
        return [*ends, self._process.line] if self._process and self._to_board else ends

    def _flush(self, writable: list[int]) -> None:
        if self._near in writable:
            self._to_host = _write(self._near, self._to_host)
        if self._process and self._process.line in writable:
            self._to_board = _write(self._process.line, self._to_board)

    def _receive(self, data: bytes) -> None:
        """From the host. A Ctrl-C is the interrupt of a running program, and a byte to all else, as in a board's serial driver."""
        if not self._process:
            return
        for number, part in enumerate(data.split(CTRL_C)):
            if number:
                self._receive_interrupt(self._process)
            self._pass(part)

    def _receive_interrupt(self, process: PtyProcess) -> None:
        if self._phase in {_Phase.BOOTS, _Phase.ENDS} or not process.interrupt():
            self._pass(CTRL_C)
        elif self._phase is _Phase.RUNS:
            self._phase = _Phase.ENDS

    def _pass(self, data: bytes) -> None:
        if self._phase in {_Phase.BOOTS, _Phase.ENDS}:
            self._held += data
        else:
            self._to_board += data

    def _emit(self, data: bytes) -> None:
        """From the board; nothing is its end."""
        if not data:
            self._begin_anew()
            return
        self._said = (self._said + data)[-len(data) - len(_RAW) :]
        raw, friendly = self._said.rfind(_RAW), self._said.rfind(_FRIENDLY)
        if raw != friendly:
            self._is_raw = raw > friendly
        if self._phase is _Phase.BOOTS and BEGINS in data:
            data = data.replace(BEGINS, b"", 1)
            self._go_on(_Phase.RUNS)
        if self._phase is not _Phase.READY and friendly >= 0:
            self._to_board += CTRL_A if self._enters_raw else b""
            self._go_on(_Phase.READY)
        self._send(data)

    def _go_on(self, phase: _Phase) -> None:
        self._phase = phase
        held, self._held = self._held, b""
        self._receive(held)

    def _send(self, data: bytes) -> None:
        if self._near >= 0:
            self._to_host += data

    def _begin_anew(self) -> None:
        assert self._process
        was_raw = self._is_raw
        code = self._process.close()
        if code:  # `machine.reset()`, or a fall: what a board does at power-on
            self._start()
            return
        self._send(b"MPY: soft reboot\r\n")
        self._start(enters_raw=was_raw)

    def _start(self, *, enters_raw: bool = False) -> None:
        self.starts += 1
        self._phase, self._enters_raw = _Phase.BOOTS, enters_raw
        self._is_raw, self._said, self._to_board, self._held = False, b"", b"", b""
        # A soft reset in the raw prompt leaves `main.py` out, so that whoever is there gets the board for themselves.
        starts = ("boot.py",) if enters_raw else ("boot.py", "main.py")
        self._process = PtyProcess(self._folder, self.unique_id, starts)

    def _stop(self) -> None:
        if self._process:
            self._process.close()
        self._process, self._to_board, self._held = None, b"", b""

    def _power_up(self) -> None:
        if not self._process:
            self._start()

    def _plug(self) -> None:
        if self.port:
            return
        # Our own hand on the far end: without one, the host's closing would look like an unplugged cable to us.
        near, far_end = pty.openpty()
        self._let_go_of_name()
        self._near, self._far_end = near, far_end
        tty.setraw(self._far_end)
        os.set_blocking(self._near, False)
        self._to_host = b""
        self.port = os.ttyname(self._far_end)

    def _unplug(self) -> None:
        """The port goes; our hand on it stays, so that nobody else's gets its name while a host still tries it."""
        if self._near >= 0:
            os.close(self._near)
        self._near = -1
        self.port = ""

    def _let_go_of_name(self) -> None:
        if self._far_end >= 0:
            os.close(self._far_end)
        self._far_end = -1

    def _end(self) -> None:
        self._stop()
        self._unplug()
        self._let_go_of_name()
        self._is_open = False


def _read(descriptor: int) -> bytes:
    with suppress(OSError):  # at a terminal's end
        return os.read(descriptor, 4096)
    return b""


def _write(descriptor: int, data: bytes) -> bytes:
    """What is left of it."""
    with suppress(BlockingIOError):
        return data[os.write(descriptor, data) :]
    return data
