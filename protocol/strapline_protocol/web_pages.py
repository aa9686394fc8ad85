"""A few pages over HTTP for those who watch: GET and nothing else, one request a connection, everything bounded."""

import asyncio
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self

from strapline_protocol.errors import UserError
from strapline_protocol.exchanges import Exchanges

_REQUEST_LIMIT_S = 5.0
_REQUEST_BYTES = 8192
_CONNECTIONS = 32


def check_address(text: str) -> None:
    """UserError for what is neither empty (no pages) nor an address."""
    if text:
        split_address(text)


def split_address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, an IPv6 host in brackets; UserError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UserError(f'"{text}" is no address; write "127.0.0.1:9477", or "" for none')
    return host.removeprefix("[").removesuffix("]"), int(port)


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
        self._exchanges = Exchanges(self._exchange, at_once=_CONNECTIONS, limit_s=_REQUEST_LIMIT_S)
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        try:
            accept, limit = self._exchanges.accept, _REQUEST_BYTES
            self._server = await asyncio.start_server(accept, self._host, self._port, limit=limit)
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
        await self._exchanges.end(self._server)

    async def _exchange(self, reader: asyncio.StreamReader) -> bytes:
        return _answer(await reader.readuntil(b"\r\n\r\n"), self._pages)


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
