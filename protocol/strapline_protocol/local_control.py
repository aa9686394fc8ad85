"""The way into a service that runs: one question and one answer, each a line of JSON, over a socket that only its user can reach."""

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
from strapline_protocol.exchanges import Exchanges

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
        self._exchanges = Exchanges(self._exchange, at_once=_CONNECTIONS, limit_s=_ASK_LIMIT_S)
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        with suppress(FileNotFoundError):
            self._path.unlink()  # of a process that was killed: the folder's lock says that none lives
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._exchanges.accept, self._path, limit=_LINE_LIMIT)
        except OSError as error:
            raise UserError(
                f"{self._path}: no control socket there ({error.strerror or error}); name a shorter state folder or free it"
            ) from None
        finally:
            os.umask(before)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exchanges.end(self._server)
        self._path.unlink(missing_ok=True)

    async def _exchange(self, reader: asyncio.StreamReader) -> bytes:
        return json.dumps(self._answer(await reader.readline())).encode() + b"\n"

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
    """What the service that runs in this state folder answers; UserError of its own, or that it does not run."""
    path = folder / SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_ASK_LIMIT_S)
            line.connect(str(path))
            line.sendall(json.dumps({"do": do, **details}).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(_LINE_LIMIT) or b"null")
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunningError(f"{folder}: nothing runs there; start it first") from None
    except PermissionError:
        raise UserError(f"{path}: not allowed; ask as the user that it runs as") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: it does not answer ({error}); look at its log") from None
    if not isinstance(answer, dict) or "error" in answer:
        raise UserError(str((answer or {}).get("error", f"{path}: it hung up; look at its log")))
    return answer["answer"]
