"""A gateway that runs, listened in on over its control socket, and written into a trace that turns over before it fills the disk."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from strapline_protocol.errors import UserError
from strapline_protocol.local_control import NotRunningError, ask
from strapline_simulator.trace import TraceWriter, notes_text
from strapline_wire import link

_POLL_S = 0.2
_LINES = 4096
"""Connections whose bytes are put together at a time."""


class Turning(NamedTuple):
    """When a file is full, and how many are kept."""

    limit_bytes: int = 64 << 20
    files: int = 8


class Counts(NamedTuple):
    """So far."""

    packets: int
    lost: int
    """That the gateway had to let go before they were fetched."""
    broken: int
    """Runs of bytes that were no frame."""


class TurningWriter:
    """Writes PATH; full, that becomes PATH.1 (the extension stays last), and the oldest goes."""

    def __init__(self, path: Path, turning: Turning) -> None:
        self._path = path
        self._turning = turning
        self._trace = TraceWriter(path)

    def write(self, interface: str, utc_s: float, data: bytes, inbound: bool, comment: str | None) -> None:
        """One packet; OSError."""
        if self._trace.size >= self._turning.limit_bytes:
            self._turn()
        self._trace.write(interface, utc_s, data, inbound, comment)

    def close(self) -> None:
        self._trace.close()

    def _turn(self) -> None:
        self._trace.close()
        if self._turning.files > 1:
            for number in range(self._turning.files - 2, -1, -1):
                file = self._numbered(number)
                if file.exists():
                    file.replace(self._numbered(number + 1))
        self._trace = TraceWriter(self._path)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.stem}.{number}{self._path.suffix}") if number else self._path


class Putting:
    """What a gateway tells of bytes, put together to frames, into a trace."""

    def __init__(self, writer: TurningWriter) -> None:
        self._writer = writer
        self._deframers: dict[tuple[int, bool], link.Deframer] = {}
        self._lost = 0
        self.packets = 0
        self.lost = 0

    @property
    def counts(self) -> Counts:
        return Counts(self.packets, self.lost, sum(one.broken for one in self._deframers.values()))

    def take(self, answer: dict[str, Any]) -> None:
        """One answer of the gateway's."""
        self._lost += answer["lost"]
        self.lost += answer["lost"]
        for _number, utc_s, interface, inbound, line, tag, data, notes in answer["crossings"]:
            told = notes | ({"tag": tag} if tag else {})
            if not line:
                self._write(interface, utc_s, bytes.fromhex(data), inbound, told)
                continue
            for content in self._deframer(line, inbound).feed(bytes.fromhex(data)):
                if frame := content[link.HEADER_SIZE :]:  # else a bare acknowledgement
                    self._write(interface, utc_s, frame, inbound, {"line": line, **told})

    def _write(self, interface: str, utc_s: float, data: bytes, inbound: bool, notes: dict[str, Any]) -> None:
        if self._lost:
            notes = {"lost_before": self._lost, **notes}
            self._lost = 0
        self._writer.write(interface, utc_s, data, inbound, notes_text(notes))
        self.packets += 1

    def _deframer(self, line: int, inbound: bool) -> link.Deframer:
        key = line, inbound
        if key not in self._deframers and len(self._deframers) >= _LINES:
            del self._deframers[next(iter(self._deframers))]
        return self._deframers.setdefault(key, link.Deframer())


def record(
    state: Path,
    path: Path,
    turning: Turning,
    *,
    goes_on: Callable[[], bool],
    tell: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Counts:
    """Write until `goes_on` says no; a gateway that starts again is waited for. UserError where none runs at the beginning."""
    after: int | None = ask(state, "trace", after=None)["last"]  # before any file is touched
    try:
        writer = TurningWriter(path, turning)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; give a file that can be written") from None
    putting, away = Putting(writer), False
    try:
        while goes_on():
            try:
                answer = ask(state, "trace", after=after)
            except NotRunningError:
                if not away:
                    tell("the gateway has ended; it is waited for")
                away, after = True, None
                pause(_POLL_S)
                continue
            if away:
                tell("the gateway runs again")
                away = False
            after = answer["last"]
            putting.take(answer)
            if not answer["crossings"]:
                pause(_POLL_S)
        putting.take(ask(state, "trace", after=after) if not away else {"lost": 0, "crossings": []})
    except NotRunningError:
        pass  # it ended before we did
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; make room, or give another file") from None
    finally:
        writer.close()
    return putting.counts
