"""A USB-UART whose TX goes to a tag's receiver pin, and to its own RX where it is looped back."""

from collections.abc import Callable

from strapline_hil.instruments.fakes.pty_fake import PtyFake


class FakeGnssUart(PtyFake):
    """`on_bytes(data)` is the tag's pin. Fault: `loop cut` (RX hears nothing, the tag does)."""

    own_faults = frozenset({"loop cut"})

    def __init__(
        self, on_bytes: Callable[[bytes], None] = lambda _data: None, *, baudrate: int = 9600, loopback: bool = True
    ) -> None:
        super().__init__()
        self.baudrate = baudrate
        self._on_bytes = on_bytes
        self._loopback = loopback

    def received(self, data: bytes) -> None:
        self._on_bytes(data)
        if self._loopback and "loop cut" not in self.faults:
            self.send(data)
