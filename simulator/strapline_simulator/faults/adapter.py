"""A Bluetooth adapter that fails as adapters do, around any pair of bleak backend classes."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Literal

from bleak.exc import BleakDBusError

AdapterState = Literal["well", "deaf", "stuck", "in_progress", "hangs", "gone"]

_UNTIL_RESTART, _UNTIL_RESET = "deaf", "stuck"


class AdapterFaults:
    """One adapter's. `off` and `on` take its radio from the air and put it back; `draw` decides what a disordered host does to a report."""

    def __init__(self, off: Callable[[], Awaitable[None]], on: Callable[[], Awaitable[None]], draw: Random) -> None:
        self._off = off
        self._on = on
        self._draw = draw
        self._is_off = False
        self._scans: list[Any] = []
        self._left: list[Any] = []
        """Connections that nobody could close."""
        self.state: AdapterState = "well"
        self.double = 0.0
        """Share of the advertisements that the host reports twice."""
        self.late = 0.0
        self.late_s = 0.0
        """Share that it reports up to so much later."""

    async def turn(self, state: AdapterState) -> None:
        """From now on it is like this."""
        before, self.state = self.state, state
        if state == "gone" and not self._is_off:
            self._is_off = True
            self._scans.clear()
            await self._off()
        elif state != "gone" and self._is_off:
            self._is_off = False
            await self._on()
        if before == "hangs" and state != "hangs":
            await self.let_go()

    async def reset(self, _adapter: str) -> None:
        """Switched off and on, as the gateway does with one that is deaf: that ends a hung scan, and some deafness."""
        if self.state in (_UNTIL_RESTART, _UNTIL_RESET):
            self.state = "well"
        if self.state == "hangs":
            await self.let_go()

    async def let_go(self) -> None:
        """End what the gateway could not end."""
        scans, self._scans = [scan for scan in self._scans if scan.is_left], []
        left, self._left = self._left, []
        for scan in scans:
            await scan.end()
        for client in left:
            await client.end()

    # What the backends ask.

    @property
    def hears(self) -> bool:
        return self.state not in (_UNTIL_RESTART, _UNTIL_RESET)

    def begin(self) -> None:
        """A scan or a call begins, or is refused."""
        if self.state == "in_progress":
            raise BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])

    def scans(self, scan: Any) -> None:
        if self.state == _UNTIL_RESTART:
            self.state = "well"
        self._scans.append(scan)

    async def end(self, what: Any) -> None:
        """An end is asked for; it may never come."""
        if self.state == "hangs":
            what.is_left = True
            if what not in self._scans:
                self._left.append(what)
            await asyncio.Event().wait()
        if what in self._scans:
            self._scans.remove(what)

    def report(self, tell: Callable[[], None]) -> None:
        """An advertisement was heard: `tell` is called as the host brings it up."""
        if not self.hears:
            return
        if not (self.double or self.late):
            tell()
            return
        times = 2 if self._draw.random() < self.double else 1
        for _ in range(times):
            if self._draw.random() < self.late:
                asyncio.get_running_loop().call_later(self._draw.uniform(0, self.late_s), tell)
            else:
                tell()

    def backends(self, scanner: type[Any], client: type[Any]) -> dict[str, Any]:
        """`BleakScanner` and `BleakClient` options: these two classes with the faults in between, and the way to reset the adapter."""
        faulty = _scanner(scanner, self)
        return {"scanner_backend": faulty, "client_backend": _client(client, faulty, self), "reset": self.reset}


def _scanner(base: type[Any], faults: AdapterFaults) -> type[Any]:
    class Scanner(base):  # type: ignore[misc]
        is_left = False

        async def start(self) -> None:
            faults.begin()
            await super().start()
            faults.scans(self)

        async def stop(self) -> None:
            await faults.end(self)
            await super().stop()

        async def end(self) -> None:
            await super().stop()

        def call_detection_callbacks(self, device: Any, advertisement: Any) -> None:
            told = super().call_detection_callbacks
            faults.report(lambda: told(device, advertisement))

    return Scanner


def _client(base: type[Any], faulty_scanner: type[Any], faults: AdapterFaults) -> type[Any]:
    class Client(base):  # type: ignore[misc]
        scanner = faulty_scanner
        is_left = False

        async def connect(self, *arguments: Any, **options: Any) -> None:
            faults.begin()
            await super().connect(*arguments, **options)

        async def disconnect(self) -> None:
            await faults.end(self)
            await super().disconnect()

        async def end(self) -> None:
            await super().disconnect()

    return Client
