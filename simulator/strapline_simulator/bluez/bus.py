"""A `dbus-daemon` of one's own, on a socket in a folder of its own: nothing on it is anybody else's."""

import asyncio
import os
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Self

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

    async def __aenter__(self) -> Self:
        program = shutil.which("dbus-daemon", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin"]))
        if program is None:
            raise UserError("no dbus-daemon on the PATH; install it (Debian: apt install dbus-daemon)")
        self._folder = tempfile.TemporaryDirectory(prefix="strapline-bus-")
        socket, configuration = Path(self._folder.name, "bus"), Path(self._folder.name, "bus.conf")
        configuration.write_text(_CONFIGURATION.format(socket=socket), encoding="utf-8")
        arguments = [f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog", "--print-address"]
        words = Path(self._folder.name, "words")
        with words.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(program, *arguments, stdout=PIPE, stderr=file)
        try:
            assert self._process.stdout is not None
            async with asyncio.timeout(_START_LIMIT_S):
                line = await self._process.stdout.readline()
        except BaseException:
            await self._stop()
            raise
        if not line:
            said = words.read_text(encoding="utf-8", errors="replace").strip()
            await self._stop()
            raise UserError(f"dbus-daemon does not start: {said}")
        self.address = line.decode().strip()
        return self

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
        if folder is not None:
            folder.cleanup()
