"""A few pages over HTTP for those who watch: GET and nothing else, one request a connection, everything bounded."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self

from strapline_protocol.errors import UserError

_REQUEST_LIMIT_S = 5.0
_REQUEST_BYTES = 8192
_CONNECTIONS = 32


class Page(NamedTuple):
    """An answer."""

    status: HTTPStatus
    kind: str
    """Its content type."""
    content: bytes


Pages = Mapping[str, Callable[[], Page]]


class WebServer:
    """Serves `pages` by their paths at `host`, `port`. Use as an asynchronous context manager; UserError where the address is taken."""

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        self._host = host
        self._port = port
        self._pages = pages
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port, limit=_REQUEST_BYTES)
        except OSError as error:
            place = f"{self._host}:{self._port}"
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise UserError(
                f'metrics.address: cannot listen on {place} ({why}); choose another, or "" for none'
            ) from None
        except UnicodeError:  # of what can be no host's name
            raise UserError(f'metrics.address: "{self._host}" is no host; write one, or "" for none') from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= _CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                async with asyncio.timeout(_REQUEST_LIMIT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(_answer(head, self._pages))
                    await writer.drain()
            finally:
                writer.close()


def _answer(head: bytes, pages: Pages) -> bytes:
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    method, target = (words[0], words[1].split("?", 1)[0]) if len(words) == 3 else ("", "")
    if method not in ("GET", "HEAD"):
        page = Page(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET only\n")
    elif target in pages:
        page = pages[target]()
    else:
        page = Page(HTTPStatus.NOT_FOUND, "text/plain", " ".join(sorted(pages)).encode() + b"\n")
    top = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\nContent-Type: {page.kind}\r\n"
        f"Content-Length: {len(page.content)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return top.encode() + (page.content if method != "HEAD" else b"")
