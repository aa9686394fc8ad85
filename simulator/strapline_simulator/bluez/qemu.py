"""A real kernel and bluetoothd in QEMU on the simulated air: HCI comes out of the guest, its D-Bus too."""

import asyncio
import os
import shutil
import socket
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path
from typing import Self

from bumble import hci
from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.auth import AuthExternal

from strapline_protocol.errors import UserError
from strapline_simulator.ble.advertisement import is_report
from strapline_simulator.ble.air import Air
from strapline_simulator.ble.controller import AirController
from strapline_simulator.ble.host import static_address
from strapline_simulator.bluez.guest import build

_BOOT_LIMIT_S = 180.0
_ANSWER_LIMIT_S = 30.0
_STOP_LIMIT_S = 5.0
_POLL_S = 0.1
# Core Specification, Vol 4, Part E, 7.7.65.2 and 7.8.10
_ADV_IND, _SCAN_RSP, _ACTIVE = 0x00, 0x04, 0x01
_BUS_PORT = 7000  # in the guest


def cache_folder() -> Path:
    """Where kernel and disk are kept between runs: 400 MB."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("STRAPLINE_BLUEZ_CACHE") or Path(base) / "strapline" / "bluez")


class QemuBluez:
    """As `BluezService` and `PrivateBus` in one, with the real thing behind. `address` is the bus of the guest."""

    def __init__(self, air: Air, name: str = "hci0") -> None:
        self.address = ""
        self._air = air
        self._name = name
        self._folder = tempfile.TemporaryDirectory(prefix="strapline-guest-")
        self._process: Process | None = None
        self._hci_server: asyncio.Server | None = None
        self._hci_writer: asyncio.StreamWriter | None = None
        self._plugged = asyncio.Event()
        self._console: asyncio.Queue[str] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self.words: list[str] = []
        """What the guest's console has said."""

    async def __aenter__(self) -> Self:
        try:
            await self._boot()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stop()

    async def bluetoothd_dies(self) -> None:
        await self.order("kill-bluetoothd")

    async def bluetoothd_returns(self) -> None:
        await self.order("start-bluetoothd")
        await self._power_on()

    async def unplug(self) -> None:
        await self.order("detach")
        # With it goes the controller: QEMU comes back by itself and is given a new one.
        if self._hci_writer is not None:
            self._plugged.clear()
            self._hci_writer.close()

    async def plug_in(self) -> None:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            await self._plugged.wait()
        await self.order("attach")
        await self._power_on()

    async def order(self, words: str) -> list[str]:
        """Have the guest do something; gives what it said meanwhile."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(words.encode() + b"\n")
        return await self._said(f"GUEST-DONE {words.split(maxsplit=1)[0]}", _ANSWER_LIMIT_S)

    async def _boot(self) -> None:
        kernel, disk = await asyncio.to_thread(build, cache_folder())
        program = shutil.which("qemu-system-x86_64")
        if program is None:
            raise UserError("no qemu-system-x86_64 on the PATH; install it (Debian: apt install qemu-system-x86)")
        hci_socket = str(Path(self._folder.name, "hci"))
        self._hci_server = await asyncio.start_unix_server(self._serve_hci, hci_socket)
        port = _free_port()
        self._process = await asyncio.create_subprocess_exec(
            program,
            *("-machine", "q35", "-accel", "tcg", "-m", "256", "-nographic", "-no-reboot", "-nodefaults"),
            *("-kernel", str(kernel), "-initrd", str(disk), "-append", "console=ttyS0 quiet panic=-1"),
            *("-serial", "stdio", "-monitor", "none"),
            *("-device", "virtio-serial", "-chardev", f"socket,id=hci,path={hci_socket},reconnect=1"),
            *("-device", "virtconsole,chardev=hci"),
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{_BUS_PORT}"),
            *("-device", "virtio-net-pci,netdev=net,romfile="),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        self._reading = asyncio.create_task(self._read_console(), name="console of the guest")
        await self._said("GUEST-READY", _BOOT_LIMIT_S)
        self.address = f"tcp:host=127.0.0.1,port={port}"
        await self._power_on()

    async def _power_on(self) -> None:
        """Wait for the adapter and switch it on: bluetoothd alone leaves that to the desktop."""
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            while not await self._try_power_on():  # noqa: ASYNC110 - what is waited for is in the guest
                await asyncio.sleep(_POLL_S)

    async def _try_power_on(self) -> bool:
        bus = MessageBus(bus_address=self.address, auth=AuthExternal(uid=0))  # the guest's uid, whatever ours is
        try:
            await bus.connect()
            body = ["org.bluez.Adapter1", "Powered", Variant("b", True)]
            path, interface = f"/org/bluez/{self._name}", "org.freedesktop.DBus.Properties"
            message = Message("org.bluez", path, interface, "Set", signature="ssv", body=body)
            reply = await bus.call(message)
        except (OSError, EOFError):
            return False
        finally:
            bus.disconnect()
        return reply.message_type is MessageType.METHOD_RETURN

    async def _read_console(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._console.put_nowait(line.decode(errors="replace").strip())
        self._console.put_nowait("GUEST-ENDED")

    async def _said(self, wanted: str, limit_s: float) -> list[str]:
        said: list[str] = []
        try:
            async with asyncio.timeout(limit_s):
                while (line := await self._console.get()) != wanted:
                    said.append(line)
                    if line == "GUEST-ENDED":
                        raise UserError("the guest has ended: " + " / ".join([*self.words, *said][-5:]))
        finally:
            self.words += said
        return said

    # HCI in H4 over the guest's second console.

    async def _serve_hci(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        controller = self._new_controller()
        controller.host = _Towards(writer)
        self._hci_writer = writer
        self._plugged.set()
        parser = PacketParser(controller)
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                try:
                    parser.feed_data(data)
                except InvalidPacketError:  # a terminal's echo, from the moment in which nobody has it as HCI
                    parser.reset()
        controller.host = None
        self._air.remove_controller(controller)
        writer.close()

    def _new_controller(self) -> AirController:
        controller = _GuestController(self._name, self._air)
        controller.public_address = hci.Address(
            static_address(self._name).address_bytes[::-1].hex(":"), hci.Address.PUBLIC_DEVICE_ADDRESS
        )
        return controller

    async def _stop(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            process.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=_STOP_LIMIT_S)
        if self._hci_server is not None:
            self._hci_server.close()
        self._folder.cleanup()


class _GuestController(AirController):
    """Also answers for the tags' controllers when Linux asks them for a scan response.

    Linux holds a connectable advertisement back until its scan response is here, and every real controller sends one, if only an
    empty one (Core Specification, Vol 6, Part B, 4.4.2.3).
    """

    def send_event(self, packet: bytes) -> None:
        super().send_event(packet)
        if is_report(packet) and packet[5] == _ADV_IND and self.le_scan_type == _ACTIVE:
            super().send_event(bytes((*packet[:2], 12, *packet[3:5], _SCAN_RSP, *packet[6:13], 0, packet[-1])))


class _Towards:
    """bumble's sink onto a stream."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def on_packet(self, packet: bytes) -> None:
        self._writer.write(packet)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
