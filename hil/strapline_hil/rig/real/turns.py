"""Who may speak to a port: a test, a scenario's deeds and a self-test come from several threads."""

from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event, RLock
from typing import Any

from strapline_hil.rig.drivers import Opened
from strapline_hil.rig.file import RigFile


class EndedError(Exception):
    """The rig is closed while an instrument was still waited for."""


class Turns:
    """At one port: one at a time, and who only waits for warmth lets the others."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._ended = Event()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()

    def rest(self, for_s: float) -> None:
        """In the place of a driver's sleep. Raises `EndedError` once nobody waits any longer."""
        self._lock.release()
        try:
            if self._ended.wait(for_s):
                raise EndedError
        finally:
            self._lock.acquire()

    def end(self) -> None:
        """Nobody waits any longer."""
        self._ended.set()


class Guarded:
    """A driver whose calls take their turns at all the ports that it uses."""

    def __init__(self, driver: Any, ports: Sequence[Turns]) -> None:
        self.driver = driver
        self._ports = ports

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.driver, name)
        if not callable(found):
            return found

        def called(*arguments: Any, **named: Any) -> Any:
            with ExitStack() as turns:
                for port in self._ports:
                    turns.enter_context(port)
                return found(*arguments, **named)

        return called


class Ports:
    """Of one rig file. Who uses several takes them in the order of their names, so that nobody waits for ever."""

    def __init__(self, file: RigFile) -> None:
        self._file = file
        self._turns = {name: Turns() for name in (*file.resources, *file.instruments)}

    def rest(self, for_s: float) -> None:
        """Of the heater, which alone takes its time."""
        heater = self._file.instruments["heat"]
        self._turns[getattr(heater, "on", "heat")].rest(for_s)

    def end(self) -> None:
        for turns in self._turns.values():
            turns.end()

    def guard(self, opened: Opened) -> Opened:
        """The same, each behind its ports."""
        resources = {name: Guarded(part, [self._turns[name]]) for name, part in opened.resources.items()}
        instruments: dict[str, Any] = {
            role: Guarded(driver, [self._turns[name] for name in self._used(role)])
            for role, driver in opened.instruments.items()
        }
        return Opened(resources, instruments)

    def _used(self, role: str) -> list[str]:
        part = self._file.instruments[role]
        shared = {name for word in ("on", "sense") if (name := getattr(part, word, None)) is not None}
        return sorted(shared) or [role]
