"""How a simulated tag's modem reaches a gateway: a TCP connection, a serial port, or a gateway in this process."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from strapline_gateway.serial_port import SerialPort
from strapline_gateway.stream import StreamLinks
from strapline_protocol.errors import UserError
from strapline_simulator.world.cellular import Cellular

_REOPEN_S = 2.0


class Ends(Protocol):
    """What a way tells its tag."""

    def up(self) -> None: ...

    def data(self, data: bytes) -> None: ...

    def down(self) -> None: ...


class Way(Protocol):
    """One tag's line. `dial` is followed by `up` or `down`; after `hang_up` and after a loss comes `down`."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(self, *error: object) -> None: ...

    def dial(self) -> None: ...

    def send(self, data: bytes) -> None: ...

    def hang_up(self) -> None: ...


class TcpWay(asyncio.Protocol):
    """A connection to a gateway's `tcp:` link."""

    def __init__(self, host: str, port: int, ends: Ends, failed: Callable[[str], None]) -> None:
        self._address = host, port
        self._ends = ends
        self._failed = failed
        self._transport: asyncio.Transport | None = None
        self._tasks = asyncio.TaskGroup()
        self._dialling: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._ended.set()

    async def __aenter__(self) -> object:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        await self._tasks.__aexit__(None, None, None)
        if self._transport is not None:
            self._transport.abort()
        await self._ended.wait()

    def dial(self) -> None:
        if self._dialling is None and self._transport is None:
            self._dialling = self._tasks.create_task(self._dial())

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
        except OSError as error:
            self._failed(error.strerror or str(error))
            self._ends.down()
        finally:
            self._dialling = None

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ended.clear()
        self._ends.up()

    def data_received(self, data: bytes) -> None:
        self._ends.data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended.set()
        if exc is not None:
            self._failed(str(exc))
        self._ends.down()


class SerialWay:
    """A wire to a gateway's `serial:` link; a port that goes is looked for again."""

    def __init__(self, port: str, baud: int, ends: Ends, failed: Callable[[str], None]) -> None:
        self._address = port, baud
        self._ends = ends
        self._failed = failed
        self._port: SerialPort | None = None
        self._opening: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> object:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._close()

    def dial(self) -> None:
        self._opening = asyncio.get_running_loop().call_soon(self._open)  # type: ignore[assignment]

    def _open(self) -> None:
        if self._port is None:
            try:
                self._port = SerialPort(*self._address, self._ends.data, self._lost)
            except OSError as error:
                self._failed(error.strerror or str(error))
                self._opening = asyncio.get_running_loop().call_later(_REOPEN_S, self._ends.down)
                return
        self._ends.up()

    def _lost(self, reason: str) -> None:
        self._failed(reason)
        self._close()
        self._ends.down()

    def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def send(self, data: bytes) -> None:
        if self._port is not None:
            self._port.write(data)

    def hang_up(self) -> None:
        # The wire stays; what comes on it later belongs to the next conversation.
        asyncio.get_running_loop().call_soon(self._ends.down)


class HouseWay:
    """The simulated network to a gateway in this process."""

    def __init__(self, links: StreamLinks, ends: Ends) -> None:
        self._cellular = Cellular(links.serve, on_up=ends.up, on_data=ends.data, on_down=ends.down)

    async def __aenter__(self) -> object:
        return await self._cellular.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._cellular.__aexit__(*error)

    def dial(self) -> None:
        self._cellular.dial()

    def send(self, data: bytes) -> None:
        self._cellular.send(data)

    def hang_up(self) -> None:
        self._cellular.hang_up()


class Target:
    """Where `--to` points: `kind` is mqtt, tcp or serial."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind, _, rest = text.partition(":")
        self.rest = rest.removeprefix("//")
        if self.kind not in ("mqtt", "mqtts", "tcp", "serial") or not self.rest:
            raise UserError(f"--to {text}: write mqtt://HOST:PORT, tcp://HOST:PORT or serial:PORT[@BAUD]")

    @property
    def address(self) -> tuple[str, int]:
        """Of tcp."""
        host, colon, port = self.rest.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise UserError(f"--to {self.text}: names no port: write tcp://127.0.0.1:7070")
        return host.strip("[]"), int(port)

    @property
    def is_broker(self) -> bool:
        return self.kind.startswith("mqtt")
