"""One adapter's scanner, kept running: started again when it falls silent, when it fails, when Bluetooth itself was gone."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError

from strapline_gateway.hearing import Hearing
from strapline_protocol.notices import Notice

CALL_LIMIT_S = 5.0
"""Every call but connecting: a stop or a write that hangs must not hang the gateway."""

RESET_LIMIT_S = 15.0

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0

_RESET_FROM = 2
"""So many restarts, or failed starts, before the adapter itself is switched off and on: that ends the connections of others too.

The second restart comes after 180 s of silence: early enough that no tag that is at home is taken for gone, which takes 300 s.
"""

_ADAPTERS_FAULTS = {"NotReady", "ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected"}
"""The last words of D-Bus errors that tell of the adapter or of the Bluetooth service, not of a device."""

_LOG = logging.getLogger(__name__)


class Failures(Counter[str]):
    """What went wrong on the air, by kind: none of it stops the gateway."""

    def note(self, error: Exception) -> None:
        kind = kind_of(error)
        self[kind] += 1
        if self[kind] == 1 and not isinstance(error, BleakError | OSError):
            _LOG.warning("the radio failed in an unknown way", exc_info=error)


class Radio:
    """`make(callback)` makes a scanner; `on_heard(device, advertisement)` hears what the one that runs hears. `reset` may be None."""

    def __init__(
        self,
        make: Callable[[AdvertisementDataCallback], BleakScanner],
        on_heard: Callable[[BLEDevice, AdvertisementData], None],
        hearing: Hearing,
        tell: Callable[[Notice], None],
        failures: Failures,
        *,
        name: str,
        reset: Callable[[], Coroutine[Any, Any, None]] | None,
    ) -> None:
        self._make = make
        self._on_heard = on_heard
        self._hearing = hearing
        self._tell = tell
        self._failures = failures
        self._name = name
        self._reset = reset
        self._scanner: BleakScanner | None = None
        self._generation = 0
        self._failed_starts = 0
        self._doubted = asyncio.Event()
        self.restarts = 0

    @property
    def runs(self) -> bool:
        return self._scanner is not None

    async def start(self) -> None:
        """Try once; where it fails, `keep` goes on trying."""
        # A new one each time: what a failed stop has left in the old one is not to be trusted.
        self._generation += 1
        try:
            scanner = self._make(self._callback(self._generation))
            async with asyncio.timeout(CALL_LIMIT_S):
                await scanner.start()
        except Exception as error:  # noqa: BLE001 - whatever a platform's Bluetooth throws, the gateway goes on without and tries again
            self._failures.note(error)
            if not self._failed_starts:
                _LOG.warning("%s cannot be started, and is tried again: %s", self._name, error or kind_of(error))
            self._failed_starts += 1
            self._hearing.failed(_now())
        else:
            if self._failed_starts:
                _LOG.info("%s is started", self._name)
            self._failed_starts = 0
            self._scanner = scanner
            self._doubted.clear()
            self._hearing.started(_now())
        self.speak()

    async def stop(self) -> None:
        """Stop, or leave it: no scanner is heard after it."""
        scanner, self._scanner = self._scanner, None
        self._generation += 1
        if scanner is not None:
            await bounded(scanner.stop(), self._failures)

    async def keep(self) -> None:
        """Watch over it for ever."""
        while True:
            if self._scanner is None:
                await asyncio.sleep(min(_FIRST_PAUSE_S * (1 << min(self._failed_starts, 10) - 1), _LONGEST_PAUSE_S))
                if self._failed_starts % _RESET_FROM == 0:
                    await self._reset_adapter()
            elif await self._is_silent():
                self._hearing.silent(_now())
                self.speak()
                self.restarts += 1
                await self.stop()
                if self._hearing.restarts >= _RESET_FROM:
                    await self._reset_adapter()
            else:
                continue
            await self.start()

    def doubt(self, error: Exception) -> None:
        """A call failed; where that is the adapter's fault, the silence need not last."""
        if is_adapters_fault(error):
            self._doubted.set()

    def speak(self) -> None:
        """Pass on what there is to tell."""
        while (notice := self._hearing.next_notice()) is not None:
            _LOG.warning("%s: %s", self._name, notice.meaning.text)
            self._tell(notice)

    def _callback(self, generation: int) -> AdvertisementDataCallback:
        def hear(device: BLEDevice, advertisement: AdvertisementData) -> None:
            if generation == self._generation:
                self._on_heard(device, advertisement)

        return hear

    async def _is_silent(self) -> bool:
        """Wait until it may be; the deadline moves with each advertisement."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._hearing.silent_at):
                await self._doubted.wait()
        return self._doubted.is_set() or _now() >= self._hearing.silent_at

    async def _reset_adapter(self) -> None:
        if self._reset is not None:
            await bounded(self._reset(), self._failures, RESET_LIMIT_S)


async def bounded(call: Coroutine[Any, Any, None], failures: Failures, limit_s: float = CALL_LIMIT_S) -> None:
    """Carry out what may fail, and may not hang."""
    try:
        async with asyncio.timeout(limit_s):
            await call
    except Exception as error:  # noqa: BLE001 - what cannot be ended has failed already
        failures.note(error)


def kind_of(error: Exception) -> str:
    """A short name: BlueZ's own, or that of the exception."""
    return error.dbus_error.rpartition(".")[2] if isinstance(error, BleakDBusError) else type(error).__name__


def is_adapters_fault(error: Exception) -> bool:
    """Whether a call failed for the adapter or the Bluetooth service, rather than for the device."""
    return isinstance(error, BleakBluetoothNotAvailableError | EOFError) or kind_of(error) in _ADAPTERS_FAULTS


def _now() -> float:
    return asyncio.get_running_loop().time()
