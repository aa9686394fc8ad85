"""The `tcp:` link: thousands of tags call in over cellular, and so may anybody else. What a stranger can take from us is bounded here."""

import asyncio
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Network
from types import TracebackType
from typing import NamedTuple, Self

from strapline_gateway.health import Health, LinkState
from strapline_gateway.lines import Lines
from strapline_gateway.listening import allow_files, listen
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit
from strapline_gateway.tap import Tap

_LOG = logging.getLogger(__name__)


class TcpLimits(NamedTuple):
    """What callers may take. A stranger is a caller that has not shown a tag's key yet; the station gives it 30 s for that."""

    connections: int = 10_000
    """At most one for each tag, and the strangers; fewer where the system gives this process fewer files."""
    strangers: int = 2_000
    strangers_per_address: int = 500
    """Of IPv6, per network of 64 bits. An operator may put all tags behind a few addresses, so those that are proved do not count."""
    stranger_bytes: int = 4_096
    """What a handshake needs, with all its repetitions, is under a thousand."""
    unsent_bytes: int = 32_768
    """What waits for a caller that does not read. The link lets eight frames be on their way, of 550 bytes each, each sent six times."""


_ACCEPT_REST_S = 1.0
"""The pause when the system has no file, no memory or no network for one more connection."""

_FAREWELL_S = 5.0
"""For what is still to be sent to a caller that we hang up on."""


class TcpLink:
    """Callers at one address of this machine. An asynchronous context manager; entering raises `UserError` where it cannot listen."""

    def __init__(
        self,
        host: str,
        port: int,
        station: Station,
        on_change: Callable[[], None],
        *,
        limits: TcpLimits | None = None,
        name: str = "",
        tap: Tap | None = None,
    ) -> None:
        self.name = name or f"tcp:{host}:{port}"
        self._host = host
        self._port = port
        self._station = station
        self._limits = limits or TcpLimits()
        self._lines = Lines(station, on_change, tap)
        self._callers: set[_Caller] = set()
        self._proved: dict[str, _Caller] = {}
        self._strangers: Counter[str] = Counter()
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        self._limits = self._limits._replace(connections=allow_files(self._limits.connections))
        self._sockets = await listen(self.name, self._host, self._port)
        await self._tasks.__aenter__()
        self._accepting = [self._tasks.create_task(self._accept(s), name=self.name) for s in self._sockets]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._accepting:
            task.cancel()
        for listener in self._sockets:
            listener.close()
        self._sockets = []
        for caller in list(self._callers):
            caller.abort()
        await self._tasks.__aexit__(None, None, None)
        await asyncio.sleep(0)  # each is told of its end in the loop's next turn
        await asyncio.sleep(0)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens; the port that was given, where the system was asked to choose one."""
        return [s.getsockname()[:2] for s in self._sockets]

    @property
    def health(self) -> Health:
        state = LinkState.UP if self._sockets else LinkState.CLOSED
        return Health(self.name, state, len(self._lines), self._lines.last_heard_s, 0, dict(self._lines.failures))

    @property
    def strangers(self) -> int:
        """Callers that have not shown a tag's key yet."""
        return len(self._callers) - len(self._proved)

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the line is not one of ours."""
        return self._lines.perform(event)

    async def _accept(self, listener: socket.socket) -> None:
        # asyncio's own server tries a hundred times at once, and logs each, when files run out.
        loop = asyncio.get_running_loop()
        short = False
        while True:
            try:
                connection, _address = await loop.sock_accept(listener)
                short = False
            except ConnectionAbortedError:  # it has gone before we took it
                self._lines.failures["ConnectionAbortedError"] += 1
                continue
            except OSError as error:
                self._lines.failures[errno.errorcode.get(error.errno or 0, "OSError")] += 1
                if not short:
                    _LOG.error("%s takes no more callers for now: %s", self.name, error)
                short = True
                await asyncio.sleep(_ACCEPT_REST_S)
                continue
            await self._take(connection)

    async def _take(self, connection: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _Caller(self, self._lines), connection)
        except OSError as error:  # it has gone again
            connection.close()
            self._lines.failures[type(error).__name__] += 1

    # What a caller asks of its link.

    def admit(self, caller: "_Caller") -> str | None:
        """None, or the reason why this caller is sent away."""
        limits = self._limits
        if len(self._callers) >= limits.connections or self.strangers >= limits.strangers:
            return "too_many"
        if self._strangers[caller.address] >= limits.strangers_per_address:
            return "too_many_of_one_address"
        self._callers.add(caller)
        self._strangers[caller.address] += 1
        return None

    def check(self, caller: "_Caller", number: int, size: int) -> None:
        """A stranger has sent so many bytes: by now it is one of our tags, or it has sent too many."""
        tag = self._station.tag_of(number)
        if tag is not None:
            self._prove(caller, tag)
            return
        caller.said += size
        if caller.said > self._limits.stranger_bytes:
            self.end(caller, "flood")

    def _prove(self, caller: "_Caller", tag: str) -> None:
        self._forget_stranger(caller)
        before, self._proved[tag] = self._proved.get(tag), caller
        caller.tag = tag
        if before is not None:  # a tag has one line: this is what was left when its network went
            before.tag = ""
            before.abort()

    def end(self, caller: "_Caller", reason: str) -> None:
        """It has taken more than it may."""
        self._lines.failures[reason] += 1
        caller.abort()

    def wrote(self, caller: "_Caller", unsent: int) -> None:
        if unsent > self._limits.unsent_bytes:
            self.end(caller, "does_not_read")

    def left(self, caller: "_Caller", error: Exception | None) -> None:
        """It is gone."""
        if error is not None:
            self._lines.failures[type(error).__name__] += 1
        self._callers.discard(caller)
        if caller.tag is None:
            self._forget_stranger(caller)
        elif self._proved.get(caller.tag) is caller:
            del self._proved[caller.tag]

    def _forget_stranger(self, caller: "_Caller") -> None:
        self._strangers[caller.address] -= 1
        if not self._strangers[caller.address]:
            del self._strangers[caller.address]


class _Caller(asyncio.Protocol):
    """One connection: feeds, transmits and hangs up."""

    __slots__ = ("_lines", "_link", "_number", "_transport", "address", "said", "tag")

    def __init__(self, link: TcpLink, lines: Lines) -> None:
        self._link = link
        self._lines = lines
        self._number: int | None = None
        self._transport: asyncio.Transport
        self.address = ""
        self.said = 0
        self.tag: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = _site(peer[0]) if peer else ""
        refusal = self._link.admit(self)
        if refusal is None:
            self._number = self._lines.open(self)
        else:
            self._link.end(self, refusal)

    def data_received(self, data: bytes) -> None:
        number = self._number
        if number is None:
            return
        self._lines.receive(number, data)
        if self.tag is None:
            self._link.check(self, number, len(data))

    def write(self, data: bytes) -> None:
        self._transport.write(data)
        self._link.wrote(self, self._transport.get_write_buffer_size())

    def close(self) -> None:
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(_FAREWELL_S, self.abort)

    def abort(self) -> None:
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._number is not None:
            number, self._number = self._number, None
            self._link.left(self, exc)
            self._lines.close(number)


def _site(address: str) -> str:
    """Whom an address stands for: a subscriber has 2^64 of IPv6 (RFC 6177), and one of IPv4."""
    if ":" not in address:
        return address
    return str(IPv6Network((address.partition("%")[0], 64), strict=False))
