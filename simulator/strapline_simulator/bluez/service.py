"""`org.bluez` on a bus: takes calls, sends signals, dies and comes back on demand."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

from dbus_fast import DBusError, Message, MessageType, NameFlag
from dbus_fast.aio import MessageBus

from strapline_simulator.ble.air import Air
from strapline_simulator.bluez.adapter import Adapter
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.objects import OBJECT_MANAGER, Interface, ObjectTree

NAME = "org.bluez"

_LOG = logging.getLogger(__name__)
_LEAVES = (
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''"
)


class BluezService:
    """bluetoothd with one adapter on the simulated air. Use as an asynchronous context manager on the loop that the air is on."""

    def __init__(self, bus_address: str, air: Air, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._bus_address = bus_address
        self._bus: MessageBus | None = None
        self._tree = ObjectTree()
        self._tasks: set[asyncio.Task[None]] = set()
        self._adapter = Adapter(self._tree, air, self.faults, self._spawn)

    async def __aenter__(self) -> Self:
        await self._adapter.plug_in()
        await self._appear()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bus is not None:
            await self.bluetoothd_dies()
        await self._adapter.unplug()

    @property
    def runs(self) -> bool:
        """Whether bluetoothd is there."""
        return self._bus is not None

    @property
    def plugged(self) -> bool:
        """Whether the adapter is."""
        return self._adapter.is_plugged

    @property
    def kept_devices(self) -> list[str]:
        """Addresses that bluetoothd keeps for ever, since somebody has connected to them and nobody has called RemoveDevice."""
        return self._adapter.kept

    # What happens to it.

    async def bluetoothd_dies(self) -> None:
        """The name leaves the bus without a signal, links end, and whoever waits for an answer gets none."""
        assert self._bus is not None
        bus, self._bus, self._tree.send = self._bus, None, None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        bus.disconnect()
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # dbus-fast leaves this one without types
        await self._adapter.bluetoothd_gone()
        self._tree.clear()

    async def bluetoothd_returns(self) -> None:
        """A new process: it finds the adapter, and on its disk the devices that were connected once."""
        await self._appear()
        if self._adapter.is_plugged:
            self._adapter.show()

    async def unplug(self) -> None:
        """The adapter is pulled out of its socket."""
        await self._adapter.unplug()

    async def plug_in(self) -> None:
        """It is put in again."""
        await self._adapter.plug_in()

    async def _appear(self) -> None:
        bus = await MessageBus(bus_address=self._bus_address).connect()
        self._bus = bus
        self._tree.add("/", {OBJECT_MANAGER: Interface()})
        bus.add_message_handler(self._take)
        match = Message(
            destination="org.freedesktop.DBus",
            path="/org/freedesktop/DBus",
            interface="org.freedesktop.DBus",
            member="AddMatch",
            signature="s",
            body=[_LEAVES],
        )
        await bus.call(match)
        self._tree.send = self._send
        await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)

    # Calls.

    def _send(self, message: Message) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(message)

    def _take(self, message: Message) -> bool:
        if message.message_type is MessageType.METHOD_CALL:
            self._spawn(self._answer(message), f"{message.member} on {message.path}")
            return True
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            self._spawn(self._adapter.forget_client(message.body[0]), "a client left")
        return False

    async def _answer(self, message: Message) -> None:
        try:
            signature, body = await self._tree.call(message)
        except DBusError as refusal:
            self._send(Message.new_error(message, refusal.type, refusal.text))
        except Exception:  # noqa: BLE001 - the top of a task: a mistake of ours must not hang the caller
            _LOG.exception("%s on %s failed", message.member, message.path)
            self._send(Message.new_error(message, "org.bluez.Error.Failed", "the stand-in has a fault"))
        else:
            self._send(Message.new_method_return(message, signature, body))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Owned by the process that `bluetoothd_dies` ends."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
