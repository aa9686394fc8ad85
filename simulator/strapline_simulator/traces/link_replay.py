"""Recorded connections, said again to a gateway over its serial or TCP link: the records as they were, each connection's key its own."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from strapline_gateway.serial_port import SerialPort
from strapline_gateway.transports import Ble, Serial, Tcp, parse
from strapline_protocol.codes import Kind
from strapline_protocol.errors import UserError
from strapline_simulator.traces.mqtt_replay import Plan
from strapline_simulator.traces.pacing import Pace, Stepper
from strapline_simulator.traces.tag_side import Conversation, Saying, TagSide, records_of
from strapline_wire import frames, seal

_TURN_S = 0.02
_WELCOME_LIMIT_S = 30.0
_REACH_LIMIT_S = 5.0


class Outcome(NamedTuple):
    """What came of it."""

    connections: int
    records: int
    """That the gateway has acknowledged on the link."""
    commands: int
    """That came back, receipts among them."""
    troubles: list[str]


class Wire(Protocol):
    """A line to the gateway."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


def check_link(text: str) -> Serial | Tcp:
    """UserError for what is no link that a replay can write to."""
    if text.partition(":")[0] not in ("serial", "tcp"):
        radio = "a replay has no radio" if text.startswith("ble:") else "nothing that a trace is played to"
        raise UserError(f"{text}: {radio}; write mqtt://HOST:PORT, serial:PORT or tcp:HOST:PORT")
    address = parse(text)
    assert not isinstance(address, Ble)
    return address


async def require_link(address: Serial | Tcp) -> None:
    """UserError where nobody is there: told at once, and not when the first connection's time has come."""
    if isinstance(address, Serial):
        _require_port(address.port)
        return
    host = address.host or "127.0.0.1"
    try:
        async with asyncio.timeout(_REACH_LIMIT_S):
            _, writer = await asyncio.open_connection(host, address.port)
    except OSError as error:  # TimeoutError is one
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error) or "no answer"
        raise UserError(f"{host}:{address.port}: {why}; does the gateway listen there?") from None
    writer.close()


def _require_port(port: str) -> None:
    if port.startswith("/") and not Path(port).exists():
        raise UserError(f"{port}: no such port; `strapline boards` lists what is on USB")


class LinkReplay:
    """For one gateway."""

    def __init__(self, address: Serial | Tcp, plan: Plan, stepper: Stepper) -> None:
        self._address = address
        self._plan = plan
        self._stepper = stepper
        self._lines: dict[str, asyncio.Lock] = {}
        """A tag has one line at a time, and a wire is one line for all."""
        self._lives: dict[int, tuple[int, float]] = {}
        """By boot: an uptime that was said, and when: the tag goes on living, however fast it is played."""
        self.records = self.commands = self.connections = 0
        self.troubles: list[str] = []

    async def run(self, found: Sequence[Conversation]) -> Outcome:
        """All of them, each at its time; those of one tag one after the other, and on a serial line all."""
        found = _as_one_slot(found) if self._plan.pace != Pace() or self._plan.loops != 1 else found
        rounds = 0
        while not self._stepper.stopped and (not self._plan.loops or rounds < self._plan.loops):
            await self._round(found)
            rounds += 1
        return Outcome(self.connections, self.records, self.commands, self.troubles)

    async def _round(self, found: Sequence[Conversation]) -> None:
        start = asyncio.get_running_loop().time()
        due = self._plan.pace.due([one.utc_s for one in found])
        async with asyncio.TaskGroup() as tasks:
            for at, one in zip(due, found, strict=True):
                told = f"tag {one.share.tag}: {sum(1 for _ in records_of(one))} records"
                if not await self._stepper.until(start + at, told):
                    break
                tasks.create_task(self._call(one))

    async def _call(self, conversation: Conversation) -> None:
        name = "" if isinstance(self._address, Serial) else conversation.share.tag
        async with self._lines.setdefault(name, asyncio.Lock()):
            await self._talk(conversation)

    async def _talk(self, conversation: Conversation) -> None:
        side = TagSide(conversation, os.urandom)
        talk = _Talk(side)
        try:
            wire = await _open(self._address, talk)
        except OSError as error:
            self.troubles.append(f"tag {conversation.share.tag}: no connection ({error.strerror or error})")
            return
        talk.wire = wire
        self.connections += 1
        try:
            trouble = await self._say(conversation, talk)
        finally:
            wire.close()
        self.commands += len(side.commands)
        if trouble:
            self.troubles.append(f"tag {conversation.share.tag}: {trouble}")

    async def _say(self, conversation: Conversation, talk: "_Talk") -> str:
        side = talk.side
        if not await talk.until(lambda: side.is_open, _WELCOME_LIMIT_S):
            return talk.end or "no answer to HELLO; is this tag enrolled there, under the keys that were given?"
        begin = asyncio.get_running_loop().time()
        said = [one for one in conversation.said if not _is_time_request(one)]
        for at, one in zip(self._plan.pace.due([one.utc_s for one in said]), said, strict=True):
            await talk.until(lambda at=at: _now() >= begin + at, at + 1.0)  # type: ignore[misc]
            if not await talk.until(lambda: side.has_room, _WELCOME_LIMIT_S):
                return talk.end or "the gateway takes no more"
            side.say(one.kind, self._living(one) if one.kind == Kind.REPLY else one.body)
        if not await talk.until(lambda: side.is_done, _WELCOME_LIMIT_S):
            return talk.end or "not everything was acknowledged"
        self.records += sum(1 for _ in records_of(conversation))
        await talk.until(lambda: len(side.commands) >= len(conversation.commands), self._plan.wait_s)
        return ""

    def _living(self, reply: Saying) -> bytes:
        told = frames.unpack_reply(reply.body)
        now = _now()
        uptime, at = self._lives.setdefault(told.boot, (told.uptime_s, now))
        return bytes(frames.pack_reply((told.boot, uptime + round(now - at))))


def _as_one_slot(found: Sequence[Conversation]) -> list[Conversation]:
    """Under each tag's first pseudonym: one that changes faster than time goes is nobody whom a gateway looks for."""
    first: dict[str, int] = {}
    return [one._replace(pseudonym=first.setdefault(one.share.tag, one.pseudonym)) for one in found]


class _Talk:
    """Feeds and drains one line."""

    def __init__(self, side: TagSide) -> None:
        self.side = side
        self.wire: Wire | None = None
        self.end = ""
        self._changed = asyncio.Event()

    def received(self, data: bytes) -> None:
        self.side.receive(data, _now())
        self._changed.set()

    def ended(self, reason: str) -> None:
        self.end = f"the line ended ({reason})"
        self._changed.set()

    async def until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Write what there is to write until then; False where it does not come, or the line has ended."""
        end = _now() + limit_s
        while True:
            self._drain()
            if condition():
                return True
            if self.end or self.side.has_failed or _now() >= end:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(_TURN_S):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _drain(self) -> None:
        if self.wire is not None and not self.end:
            for line in self.side.lines(_now()):
                self.wire.write(line)


async def _open(address: Serial | Tcp, talk: _Talk) -> Wire:
    if isinstance(address, Serial):
        return SerialPort(address.port, address.baud, talk.received, talk.ended)
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: _TcpWire(talk), address.host or "127.0.0.1", address.port
    )
    return protocol


class _TcpWire(asyncio.Protocol):
    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._talk.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._talk.ended("the gateway hung up" if exc is None else str(exc))

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


def _is_time_request(saying: Saying) -> bool:
    return saying.kind == Kind.RECORD and seal.peek_envelope(saying.body).kind == Kind.TIME_REQUEST


def _now() -> float:
    return asyncio.get_running_loop().time()
