"""The connections of a server of short exchanges: one question and one answer each, only so many at a time, each within a limit."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

Answer = Callable[[asyncio.StreamReader], Awaitable[bytes]]
"""Reads the question and gives the answer; what it raises of a peer's doing (OSError, ValueError, an end too early) ends the connection."""


class Exchanges:
    """Give `accept` to `asyncio.start_server` or `start_unix_server`; `end` the exchanges when that is closed."""

    def __init__(self, answer: Answer, *, at_once: int, limit_s: float) -> None:
        self._answer = answer
        self._at_once = at_once
        self._limit_s = limit_s
        self._serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection; one too many is closed without an answer."""
        if len(self._serving) >= self._at_once:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def end(self, server: asyncio.Server) -> None:
        """Close the server, and whatever it is in the middle of."""
        server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                async with asyncio.timeout(self._limit_s):
                    writer.write(await self._answer(reader))
                    await writer.drain()
            finally:
                writer.close()
