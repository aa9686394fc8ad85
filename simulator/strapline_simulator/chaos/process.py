"""The other end of a gateway's process: it is born, gets orders, replies, and is killed."""

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from strapline_simulator.chaos.child import Birth, Order, Reply

PROGRAM = ("-m", "strapline_simulator.chaos.nursery")
"""What Python runs to be a nursery."""

_NUMBER = struct.Struct(">i")


class GatewayEndedError(RuntimeError):
    """A gateway's process has ended, and nobody had killed it."""


class Nursery:
    """Where gateways' processes come from. A context manager; all that were born are gone when it ends."""

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._line, far = socket.socketpair()
        command = [sys.executable, *program, str(far.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[far.fileno()])
        far.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._line.close()
        self._process.wait()

    def bear(self, handed: socket.socket) -> int:
        """Start a process on this socket; gives its pid."""
        socket.send_fds(self._line, [_NUMBER.pack(0)], [handed.fileno()])
        return self._answer()

    def wait(self, pid: int) -> int:
        """How it ended: its exit code, or minus the signal."""
        self._line.sendall(_NUMBER.pack(pid))
        return self._answer()

    def _answer(self) -> int:
        answer = self._line.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(answer) < _NUMBER.size:
            raise GatewayEndedError("the process that forks gateways has ended")
        return int(_NUMBER.unpack(answer)[0])


class GatewayProcess:
    """One life of one gateway. `step` gives None where the process has died of SIGKILL."""

    def __init__(self, nursery: Nursery, birth: Birth) -> None:
        self._nursery = nursery
        near, far = socket.socketpair()
        with far:
            self._pid = nursery.bear(far)
        self._connection = Connection(near.detach())
        self.ordered_to_die = False
        self.first = self._exchange(birth)

    def step(self, now: float, utc_s: float, *happened: tuple[Any, ...]) -> Reply | None:
        """Tell it what has happened and let it run until nothing is due any more."""
        return self._exchange(Order(now, utc_s, happened))

    def kill(self) -> None:
        """From outside, while it waits for its next order."""
        self.ordered_to_die = True
        os.kill(self._pid, signal.SIGKILL)
        self._bury()

    def end(self) -> None:
        """Let it go in peace, where it is still there."""
        if not self._connection.closed:
            self._connection.send(None)
            self._bury()

    def _exchange(self, message: object) -> Reply | None:
        try:
            self._connection.send(message)
            reply: Reply = self._connection.recv()
        except (EOFError, ConnectionError):
            self._bury()
            return None
        return reply

    def _bury(self) -> None:
        self._connection.close()
        code = self._nursery.wait(self._pid)
        if code not in ((0, -signal.SIGKILL) if self.ordered_to_die else (0,)):
            raise GatewayEndedError(f"a gateway's process ended with {code}, and nobody had killed it")
