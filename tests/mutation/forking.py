"""A piece of work in a child process of its own, which tells by lines of JSON how far it is."""

import json
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

_FORK = multiprocessing.get_context("fork")
"""The parent has imported everything once, so that a child begins at once."""

_MEMORY_BYTES = 4 << 30
SILENT_S = 600.0
"""A child that says nothing for so long waits for something that does not come: all time is virtual, and processor time is limited."""

Tell = Callable[[dict[str, Any]], None]


class Said(NamedTuple):
    """What a child has said, and how it ended."""

    lines: list[dict[str, Any]]
    exit_code: int
    """Negative: minus the signal."""


def limit_cpu(seconds: float) -> None:
    """From now on; whoever takes more is ended by SIGPROF."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def in_children(works: Iterator[tuple[str, Callable[[Tell], None]]], jobs: int) -> Iterator[tuple[str, Said]]:
    """Do all works, so many at a time; gives each by its name as it ends. None is left behind."""
    running: dict[Connection, _Child] = {}
    try:
        while True:
            while len(running) < jobs and (work := next(works, None)) is not None:
                child = _Child(*work)
                running[child.ear] = child
            if not running:
                return
            heard = wait(list(running), SILENT_S)
            for ear in heard or list(running):
                child = running[ear]  # type: ignore[index]
                if not heard or not child.listen():
                    del running[child.ear]
                    yield child.name, child.end()
    finally:
        for child in running.values():
            child.end()


class _Child:
    def __init__(self, name: str, work: Callable[[Tell], None]) -> None:
        self.name = name
        self._lines: list[dict[str, Any]] = []
        self.ear, mouth = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_begin, args=(mouth, work), name=name)
        self._process.start()
        mouth.close()

    def listen(self) -> bool:
        try:
            self._lines.append(json.loads(self.ear.recv_bytes()))
        except EOFError:
            return False
        return True

    def end(self) -> Said:
        self.ear.close()
        self._process.join(1.0)
        self._process.kill()
        self._process.join()
        said = Said(self._lines, self._process.exitcode or 0)
        self._process.close()
        return said


def _begin(mouth: Connection, work: Callable[[Tell], None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    work(lambda said: mouth.send_bytes(json.dumps(said).encode()))
    os._exit(0)  # no mutant's clean-up
