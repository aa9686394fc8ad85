"""What moves the tag: a shaker that plays samples from a bench board's memory, or a motor that is on or off."""

from contextlib import suppress

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.verdict import BenchError, RigError

_VECTOR_BYTES = 6


class Shaker:
    """A `Motion`. `play` returns when the samples are in the board and it has begun; they last as long as they last."""

    def __init__(self, board: BenchBoard, *, name: str = "shaker") -> None:
        self.name = name
        self._board = board

    def play(self, rate_hz: int, vectors: bytes) -> None:
        if not 1 <= rate_hz <= 255 or len(vectors) % _VECTOR_BYTES:
            raise ValueError(f"{rate_hz} Hz, {len(vectors)} bytes: 1 to 255 Hz, and whole vectors of 6 bytes")
        self._board.play(rate_hz, vectors)

    def still(self) -> None:
        self._board.still()

    def check(self) -> list[str]:
        """What it does to the tag only the tag can tell."""
        try:
            self._board.samples_left()
        except BenchError as error:
            return [str(error)]
        return []

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: nothing measures the motion, so a loose wire looks like a tag that does not notice"]

    def close(self) -> None:
        with suppress(BenchError):  # it is the end, and the board has gone
            self.still()


class VibrationMotor:
    """On or off, and nothing between: it cannot play what was recorded."""

    def __init__(self, board: BenchBoard, *, name: str = "vibration motor") -> None:
        self.name = name
        self._board = board

    def on(self) -> None:
        self._board.motor(on=True)

    def off(self) -> None:
        self._board.motor(on=False)

    def play(self, rate_hz: int, vectors: bytes) -> None:
        raise RigError(self.name, "it plays no samples", "put a shaker into the rig for this test")

    def still(self) -> None:
        self.off()

    def check(self) -> list[str]:
        try:
            self.off()
        except BenchError as error:
            return [str(error)]
        return []

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: nothing measures the motion, so a loose wire looks like a tag that does not notice"]

    def close(self) -> None:
        with suppress(BenchError):  # it is the end, and the board has gone
            self.off()
