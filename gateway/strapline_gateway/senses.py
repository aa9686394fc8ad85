"""Reads the gateway's own sensors, as files or through programs, and feeds the house watch. What readings mean is decided there."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from strapline_gateway.config import Sensor
from strapline_gateway.house import HouseWatch
from strapline_protocol.notices import Notice

_LOG = logging.getLogger(__name__)

READ_LIMIT_S = 5.0
_LONGEST = 64
_MOTION_MG_MOST = 100_000


class Senses:
    """The sensors of one gateway; `tell` gets what comes of them."""

    def __init__(self, sensors: tuple[Sensor, ...], tell: Callable[[Notice], None]) -> None:
        self._sensors = sensors
        self._tell = tell
        self._house = HouseWatch()
        self._timer: asyncio.TimerHandle | None = None
        self.failing: set[str] = set()
        """What could not be read when it was last tried."""

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for sensor in self._sensors:
                    tasks.create_task(self._watch(sensor), name=f"sensor {sensor.kind}")
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _watch(self, sensor: Sensor) -> None:
        name = sensor.kind if sensor.file is None else f"{sensor.kind} ({sensor.file})"
        while True:
            try:
                reading = await _read(sensor)
            except (OSError, ValueError, OverflowError) as error:
                if name not in self.failing:
                    _LOG.warning("sensor %s cannot be read: %s", name, error)
                self.failing.add(name)
            else:
                self.failing.discard(name)
                self._feed(sensor, reading)
            await asyncio.sleep(sensor.every_s)

    def _feed(self, sensor: Sensor, reading: int) -> None:
        now = asyncio.get_running_loop().time()
        if sensor.kind == "battery":
            self._house.feed_battery(now, reading)
        elif sensor.kind == "motion":
            self._house.feed_motion(now, reading)
        elif sensor.kind == "mains":
            self._house.feed_mains(now, bool(reading) is not sensor.inverted)
        elif sensor.kind == "line":
            self._house.feed_line(now, bool(reading) is not sensor.inverted)
        else:
            self._house.feed_case(now, bool(reading) is not sensor.inverted)
        self._drain()

    def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        self._house.handle_timer(loop.time())
        while (notice := self._house.next_event()) is not None:
            self._tell(notice)
        if self._timer is not None:
            self._timer.cancel()
        due = self._house.next_deadline()
        self._timer = None if due is None else loop.call_at(due, self._drain)


async def _read(sensor: Sensor) -> int:
    """The reading as a whole number; OSError and ValueError where there is none."""
    async with asyncio.timeout(READ_LIMIT_S):
        if sensor.file is not None:
            text = await asyncio.to_thread(_content, sensor.file)
        else:
            text = await _ask(sensor.command)
    reading = int(float(text.strip() or b"nothing"))
    if not 0 <= reading <= (100 if sensor.kind == "battery" else _MOTION_MG_MOST):
        raise ValueError(f"{reading} is no reading of {sensor.kind}")
    return reading


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST)


async def _ask(command: tuple[str, ...]) -> bytes:
    program = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert program.stdout is not None
        text = await program.stdout.read(_LONGEST)
        if await program.wait():
            raise ValueError(f"{command[0]} ended with {program.returncode}")
        return text
    finally:
        if program.returncode is None:
            with suppress(ProcessLookupError):
                program.kill()
            await program.wait()
