"""A GNSS receiver that is silent, talks nonsense, or says the same again and again. Between its UART and the tag's."""

from collections.abc import Callable
from random import Random
from typing import Literal

ReceiverState = Literal["well", "silent", "garbage", "frozen"]


class FaultyUart:
    """`emit` takes what the tag's UART gets."""

    def __init__(self, emit: Callable[[bytes], None], draw: Random) -> None:
        self._emit = emit
        self._draw = draw
        self._last = b""
        self.state: ReceiverState = "well"

    def receive(self, data: bytes) -> None:
        """The receiver says this, or would."""
        if self.state == "well":
            self._last = data
            self._emit(data)
        elif self.state == "garbage":
            self._emit(self._draw.randbytes(len(data)))
        elif self.state == "frozen" and self._last:
            self._emit(self._last)
