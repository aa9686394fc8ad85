"""The way into a gateway that runs: one question and one answer, each a line of JSON, over a socket that only its user can reach."""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from strapline_protocol.errors import UserError

SOCKET = "control"

_LINE_LIMIT = 4 << 20
_ASK_LIMIT_S = 10.0
_CONNECTIONS = 16

Handlers = Mapping[str, Callable[[dict[str, Any]], Any]]


class NotRunningError(UserError):
    """Nobody answers in this state folder."""


class ControlServer:
    """Answers `{"do": name, …}` with what the handler of that name gives, or with its UserError. An asynchronous context manager."""

    def __init__(self, folder: Path, handlers: Handlers) -> None:
        self._path = folder / SOCKET
        self._handlers = handlers
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        with suppress(FileNotFoundError):
            self._path.unlink()  # of a process that was killed: the folder's lock says that none lives
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, self._path, limit=_LINE_LIMIT)
        except OSError as error:
            raise UserError(
                f"{self._path}: no control socket there ({error.strerror or error}); shorten gateway.state or free it"
            ) from None
        finally:
            os.umask(before)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()
        self._path.unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= _CONNECTIONS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):
            try:
                async with asyncio.timeout(_ASK_LIMIT_S):
                    line = await reader.readline()
                    writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                    await writer.drain()
            finally:
                writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            handler = self._handlers[asked["do"]]
        except (ValueError, KeyError, TypeError):
            return {"error": f"not understood; a line of JSON with do: {', '.join(sorted(self._handlers))}"}
        try:
            return {"answer": handler(asked)}
        except UserError as error:
            return {"error": str(error)}


def ask(folder: Path, do: str, **details: Any) -> Any:
    """What the gateway that runs in this state folder answers; UserError of its own, or that it does not run."""
    path = folder / SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_ASK_LIMIT_S)
            line.connect(str(path))
            line.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(_LINE_LIMIT) or b"null")
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunningError(f"{folder}: no gateway runs there; `strapline gateway run` starts one") from None
    except PermissionError:
        raise UserError(f"{path}: not allowed; ask as the user that the gateway runs as") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the gateway does not answer ({error}); look at its log") from None
    if not isinstance(answer, dict) or "error" in answer:
        raise UserError(str((answer or {}).get("error", f"{path}: the gateway hung up; look at its log")))
    return answer["answer"]
