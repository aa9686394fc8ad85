"""Callers on byte streams that somebody else accepts, such as a simulated network. A stream is anything that reads and writes bytes."""

from collections.abc import Callable
from typing import Protocol

from strapline_gateway.health import Health, LinkState
from strapline_gateway.lines import Lines
from strapline_gateway.station import Abandon, Connect, HangUp, Station, Transmit


class ByteStream(Protocol):
    """One connection."""

    async def read(self) -> bytes:
        """What has come; empty at the end."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Hang up; a `read` that waits ends."""


class StreamLinks:
    """All the streams of one gateway."""

    name = "streams"

    def __init__(self, station: Station, on_change: Callable[[], None]) -> None:
        self._lines = Lines(station, on_change)

    async def serve(self, stream: ByteStream) -> None:
        """Carry one connection to its end."""
        number = self._lines.open(stream)
        try:
            while data := await stream.read():  # for how long it may be silent, the station knows
                self._lines.receive(number, data)
        except OSError as error:  # whatever a network may do to a connection
            self._lines.failures[type(error).__name__] += 1
        finally:
            stream.close()
            self._lines.close(number)

    @property
    def health(self) -> Health:
        return Health(self.name, LinkState.UP, len(self._lines), self._lines.last_heard_s, 0, self._lines.failures)

    def perform(self, event: Connect | Abandon | Transmit | HangUp) -> bool:
        """Do what the station asks; False where the line is not one of ours."""
        return self._lines.perform(event)
