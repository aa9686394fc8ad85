"""The body `serial:PORT`: the bench program on a bare MicroPython board, driven in virtual time over its serial line."""

from contextlib import ExitStack, suppress
from time import monotonic

from serial import SerialException

from strapline_hil.bench_loader import END, load_script, look_at, serve
from strapline_hil.board_at import board_at
from strapline_hil.board_files import BoardError
from strapline_hil.board_line import Line
from strapline_hil.identity import Identity
from strapline_hil.repl_board import ReplBoard
from strapline_hil.verdict import Verdict
from strapline_protocol.errors import UserError
from strapline_simulator.body_error import BodyError
from strapline_simulator.firmware import BENCH_SERIAL, compiled_firmware
from strapline_tag.bench import DONE
from strapline_wire import link

ANSWER_LIMIT_S = 30.0
_LOAD_LIMIT_S = 60.0
_LOOK_S = 0.2
_CTRL_C = b"\r\x03"


class LineError(BodyError):
    """The board, or the line to it: the rig's part of a body, whatever the firmware on it does."""

    verdict = Verdict.RIG


def serial_body(address: str) -> "SerialBody":
    """What `--on serial:PORT` means: a port, or a board's USB serial number."""
    if not address:
        raise UserError(
            "--on serial: names no port: write serial:/dev/ttyACM0, or a serial number of `strapline boards`"
        )
    return SerialBody(address, f"serial:{address}")


class SerialBody:
    """A `Body` on a board. Its flash is left as it was; closed or interrupted, the board is back at its prompt."""

    def __init__(self, port: str, name: str = "") -> None:
        self.name = name or f"serial:{port}"
        self._deframer = link.Deframer()
        self._tail = b""
        self._is_running = False
        with ExitStack() as stack:
            board = stack.enter_context(board_at(port))
            known = look_at(board)
            stack.callback(self._end)
            self._line = self._start(board)
            self.identity = self._describe(known)
            self._stack = stack.pop_all()

    def _describe(self, known: Identity) -> str:
        return str(known)

    def _start(self, board: ReplBoard) -> Line:
        image = compiled_firmware(BENCH_SERIAL)
        self._line = line = board.begin(load_script(len(image)))
        self._is_running = True
        line.timeout = _LOOK_S
        deadline = monotonic() + _LOAD_LIMIT_S
        words = serve(image, lambda size: self._read(size, deadline), self._write)
        if words:
            self._is_running = False
            raise BoardError(f"{self.name}: the board cannot load the bench program: {_last_line(words)}")
        return line

    def request(self, message: bytes) -> list[bytes]:
        self._write(link.encode(message))
        answers: list[bytes] = []
        deadline = monotonic() + ANSWER_LIMIT_S
        while not answers or answers[-1][0] != DONE:
            data = self._read_some(deadline)
            answers += self._deframer.feed(data)
            self._tail = (self._tail + data).rpartition(b"\0")[2]
            # A frame begins with the code for the first zero of its time, which is 2: this is the REPL again.
            if self._tail[:1] == bytes([END]):
                raise self._death(deadline)
        return answers

    def close(self) -> None:
        self._stack.close()

    def _end(self) -> None:
        """Out of the bench program, back to the REPL; a board that has gone cannot be left any better."""
        if not self._is_running:
            return
        self._is_running = False
        with suppress(BodyError, SerialException, OSError):
            self._line.write(_CTRL_C)
            deadline = monotonic() + _LOOK_S * 10
            said = b""
            while not said.endswith(b"\x04\x04>"):
                said += self._read_some(deadline)

    def _death(self, deadline: float) -> BodyError:
        with suppress(BodyError):
            while self._tail.count(END) < 2:
                self._tail += self._read_some(deadline)
        self._is_running = False
        words = self._tail.strip(b"\x04>").decode("utf-8", "replace")
        return BodyError(f"{self.name}: the bench program has ended: {_last_line(words)}")

    # The line.

    def _write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except (OSError, SerialException):
            raise self._gone() from None

    def _read(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            data += self._read_some(deadline, size - len(data))
        return data

    def _read_some(self, deadline: float, most: int = 0) -> bytes:
        try:
            while True:
                if data := self._line.read(most or max(1, self._line.in_waiting)):
                    return bytes(data)
                if monotonic() >= deadline:
                    raise LineError(f"{self.name}: the board gives no answer any more; press its reset button")
        except (OSError, SerialException):
            raise self._gone() from None

    def _gone(self) -> LineError:
        self._is_running = False
        return LineError(f"{self.name}: the board has gone; plug it in again")


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.replace("\r", "\n").split("\n") if line.strip()]
    return lines[-1] if lines else "it said nothing"
