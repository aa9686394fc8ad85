"""Requests to a bench board and its answers, a line each, with a number and a CRC; what a request means is nothing to it."""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from strapline_hil.verdict import RigError, SurroundingsError
from strapline_wire.link import crc16

REPEATS = 3
ANSWER_LIMIT_S = 1.0
_QUIET_S = 0.1
"""Half a line, and then nothing for so long: its end was lost."""

_LONGEST_WORDS = 2000
_REPL_ENDS = b"\x04"


class Serial(Protocol):
    """What is asked of a port: pyserial's."""

    timeout: float | None

    @property
    def in_waiting(self) -> int: ...

    def read(self, size: int = 1) -> bytes: ...

    def write(self, data: bytes, /) -> int | None: ...


class RefusedError(Exception):
    """The board says no, with its words."""


def frame(content: str) -> bytes:
    data = content.encode("ascii")
    return b"\n%s %04x\n" % (data, crc16(data))


def unframe(line: bytes) -> str | None:
    """What a line says, or None where noise has been at it."""
    said, _, crc = line.strip(b"\r\n").rpartition(b" ")
    return said.decode("ascii") if crc == b"%04x" % crc16(said) and said.isascii() else None


class BenchLine:
    """One request at a time. `garbled` counts the lines that noise has spoilt, on the way there or back.

    `has_ended`: the program has, and the board is at its prompt.
    """

    def __init__(self, place: str, serial: Serial, clock: Callable[[], float] = monotonic) -> None:
        self._place = place
        self._serial = serial
        self._clock = clock
        self._number = 0
        self._held = b""
        self._strays = b""
        self.has_ended = False
        self.garbled = 0
        serial.timeout = 0.02

    def ask(self, words: str, limit_s: float = ANSWER_LIMIT_S, repeats: int = REPEATS) -> str:
        """What the board says behind `ok`. What is repeated the board does once. `RefusedError`: it says no."""
        if self.has_ended:
            raise self._ended()
        self._number += 1
        self._strays = b""
        was_garbled = False
        for _ in range(1 + repeats):
            answer = self._once(words, limit_s)
            if answer:
                return self._understood(answer)
            was_garbled = was_garbled or answer == ""
        raise self._silent(was_garbled)

    def _once(self, words: str, limit_s: float) -> str | None:
        """The answer to one try; empty where it was garbled, None where none came."""
        try:
            self._serial.write(frame(f"{self._number} {words}"))
            return self._answer(limit_s)
        except OSError:
            raise RigError(self._place, "the bench board has gone", "plug it in again, and look at its cable") from None

    def _answer(self, limit_s: float) -> str | None:
        now = self._clock()
        deadline, came = now + limit_s, now
        while now < deadline and not (self._held and now > came + _QUIET_S):
            if data := self._serial.read(max(1, self._serial.in_waiting)):
                self._held, came = self._held + data, self._clock()
            while b"\n" in self._held:
                line, _, self._held = self._held.partition(b"\n")
                if (answer := self._read(line)) is not None:
                    return answer
            if self._held.endswith(_REPL_ENDS + b">"):
                self._stray(self._held)
                self.has_ended = True
                raise self._ended()
            now = self._clock()
        if not self._held:
            return None
        self._stray(self._held)
        self._held = b""
        return ""

    def _read(self, line: bytes) -> str | None:
        """The answer in a line; empty where it was spoilt, None where it is of no interest."""
        said = unframe(line)
        if said == "0 bad":
            self.garbled += 1
            return ""
        if said is not None:
            number, _, answer = said.partition(" ")
            return answer if number == str(self._number) else None
        if not line.strip():
            return None
        self._stray(line)
        return None if _REPL_ENDS in self._strays else ""  # behind the program's end come its last words

    def _stray(self, line: bytes) -> None:
        self.garbled += 1
        self._strays = (self._strays + line + b"\n")[-_LONGEST_WORDS:]

    def _understood(self, answer: str) -> str:
        verdict, _, rest = answer.partition(" ")
        if verdict == "ok":
            return rest
        if verdict == "fell":
            raise SurroundingsError(
                self._place,
                f"the host was silent for {int(rest) / 1000:g} s, and the bench board's outputs fell back to safe",
                "keep the host awake, and let what waits call keep_alive()",
            )
        raise RefusedError(rest)

    def _ended(self) -> RigError:
        words = [line.strip() for line in self._strays.strip(b"\x04> \r\n").splitlines() if line.strip()]
        last = words[-1].decode("ascii", "replace") if words else "it said nothing"
        return RigError(
            self._place,
            f"the bench board's program has ended ({last})",
            "press its reset button; where it refuses a pin, mend its wiring",
        )

    def _silent(self, was_garbled: bool) -> RigError:
        if was_garbled:
            return RigError(self._place, "garbled answers, several in a row", "look at the cable, and what disturbs it")
        return RigError(self._place, "no answer from the bench board", "press its reset button, or plug it in again")
