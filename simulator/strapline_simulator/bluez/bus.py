"""A `dbus-daemon` of one's own, on a socket in a folder of its own: nothing on it is anybody else's."""

import asyncio
import os
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from strapline_protocol.errors import UserError

_START_LIMIT_S = 10.0
_STOP_LIMIT_S = 5.0

_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """Use as an asynchronous context manager. `address` is for DBUS_SYSTEM_BUS_ADDRESS of whoever shall be on it."""

    def __init__(self) -> None:
        self.address = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._words: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        program = shutil.which("dbus-daemon", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin"]))
        if program is None:
            raise UserError("no dbus-daemon on the PATH; install it (Debian: apt install dbus-daemon)")
        self._folder = tempfile.TemporaryDirectory(prefix="strapline-bus-")
        configuration = _configure(Path(self._folder.name))
        arguments = [f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog", "--print-address"]
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `_stop`: it lives as long as the process
        self._process = await asyncio.create_subprocess_exec(program, *arguments, stdout=PIPE, stderr=self._words)
        try:
            self.address = await self._read_address(self._process)
        except BaseException:
            await self._stop()
            raise
        return self

    async def _read_address(self, process: Process) -> str:
        assert process.stdout is not None
        assert self._words is not None
        async with asyncio.timeout(_START_LIMIT_S):
            line = await process.stdout.readline()
        if not line:
            self._words.seek(0)
            raise UserError(f"dbus-daemon does not start: {self._words.read().decode(errors='replace').strip()}")
        return line.decode().strip()

    async def __aexit__(self, *_error: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        process, folder = self._process, self._folder
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._words is not None:
            self._words.close()
        if folder is not None:
            folder.cleanup()


def _configure(folder: Path) -> Path:
    configuration = folder / "bus.conf"
    configuration.write_text(_CONFIGURATION.format(socket=folder / "bus"), encoding="utf-8")
    return configuration
