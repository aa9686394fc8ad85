"""A process that has everything imported already and forks a gateway for each socket that it is handed: a restart in milliseconds."""

import logging
import os
import signal
import socket
import struct
import sys
from multiprocessing.connection import Connection
from typing import NoReturn

from strapline_simulator.chaos import child

_ANSWER = struct.Struct(">i")


def serve(line: socket.socket) -> None:
    """Each message on `line` carries the socket of a gateway to be born, answered with its pid; or a pid, answered with how it ended."""
    while True:
        message, handed, _, _ = socket.recv_fds(line, _ANSWER.size, 1)
        if not message:
            return
        if handed:
            line.sendall(_ANSWER.pack(_bear(line, handed[0])))
        else:
            _, status = os.waitpid(_ANSWER.unpack(message)[0], 0)
            line.sendall(_ANSWER.pack(os.waitstatus_to_exitcode(status)))


def _bear(line: socket.socket, handed: int) -> int:
    pid = os.fork()
    if pid == 0:
        line.close()
        _live(handed)
    os.close(handed)
    return pid


def _live(handed: int) -> NoReturn:
    code = 1
    try:
        with Connection(handed) as connection:
            child.live(connection)
        code = 0
    except BaseException:  # noqa: BLE001 - the top of a process: told on standard error, as any program would
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Serve the socket whose number is the last argument."""
    logging.getLogger().addHandler(logging.NullHandler())  # what gateways log of a full disk belongs to the run
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides when it is over
    serve(socket.socket(fileno=int(sys.argv[-1])))


if __name__ == "__main__":
    main()
