"""One run of `strapline bluez`: bus, air, tags, and either a program or orders line by line."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

from strapline_protocol.errors import UserError
from strapline_simulator.ble import Air
from strapline_simulator.bluez.bus import PrivateBus
from strapline_simulator.bluez.orders import Order, Stage, parse
from strapline_simulator.bluez.service import BluezService
from strapline_simulator.bodies import make_body
from strapline_simulator.real_time import LiveTag

_END_LIMIT_S = 5.0


class Run:
    """`secret_of` maps tags to their secrets; `at` says what happens at which second."""

    def __init__(self, secret_of: Mapping[str, bytes], body: str, at: Sequence[tuple[float, Order]]) -> None:
        self._secret_of = secret_of
        self._body = body
        self._at = sorted(at)

    async def with_program(self, command: Sequence[str]) -> int:
        """Run it on the bus; its exit status."""
        program = shutil.which(command[0])
        if program is None:
            raise UserError(f"{command[0]}: no such program; give one after --")
        async with self._house() as (address, stage), asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(self._play(stage), name="orders")
            environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}
            process = await asyncio.create_subprocess_exec(program, *command[1:], env=environment)
            try:
                return await process.wait()
            finally:
                playing.cancel()
                await _end(process)

    async def with_orders(self) -> int:
        """Print the address, then answer orders until the input ends."""
        async with self._house() as (address, stage), asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(self._play(stage), name="orders")
            print(f"DBUS_SYSTEM_BUS_ADDRESS={address}", flush=True)  # noqa: T201 - what a script reads
            async for line in _lines():
                if line.strip():
                    print(await _answered(stage, line), flush=True)  # noqa: T201
            playing.cancel()
        return 0

    async def _play(self, stage: Stage) -> None:
        began = asyncio.get_running_loop().time()
        for moment, order in self._at:
            await asyncio.sleep(max(0.0, began + moment - asyncio.get_running_loop().time()))
            answer = await _answered(stage, " ".join(order))
            print(f"{moment:g} s: {' '.join(order)}: {answer}", file=sys.stderr, flush=True)  # noqa: T201

    @asynccontextmanager
    async def _house(self) -> AsyncIterator[tuple[str, Stage]]:
        reach: dict[str, int | None] = {}
        air = Air(lambda sender, receiver: reach.get(sender, reach.get(receiver, -60)), Random())
        tags = {name: LiveTag(name, air, make_body(self._body), secret) for name, secret in self._secret_of.items()}
        async with PrivateBus() as bus, BluezService(bus.address, air) as service, _all(tags):
            yield bus.address, Stage(service, tags, reach)


@asynccontextmanager
async def _all(tags: Mapping[str, LiveTag]) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for tag in tags.values():
            await stack.enter_async_context(tag)
        yield


async def _answered(stage: Stage, line: str) -> str:
    try:
        return await stage.carry_out(parse(line))
    except UserError as error:
        return f"no: {error}"


async def _lines() -> AsyncIterator[str]:
    """Of standard input, until it ends or somebody interrupts."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    loop.add_signal_handler(signal.SIGINT, reader.feed_eof)
    loop.add_signal_handler(signal.SIGTERM, reader.feed_eof)
    try:
        while line := await reader.readline():
            yield line.decode(errors="replace")
    finally:
        transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_LIMIT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
