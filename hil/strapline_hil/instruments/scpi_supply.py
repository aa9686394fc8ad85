"""A programmable supply in the battery's place, by the words that SCPI-99 has for DC supplies (ivifoundation.org).

What it was told is read back; what it gives is measured.
"""

from collections.abc import Callable
from contextlib import suppress
from time import sleep
from typing import TypeVar

from strapline_hil.ports import open_port
from strapline_hil.verdict import BenchError, RigError

_TRIES = 3
_LOOKS = 10
_TOLERANCE, _TOLERANCE_MV = 0.02, 20
_OFF_MV = 500
"""A supply that is off still discharges what is on its output; below this no tag runs."""

_NO_NUMBER = 9.9e37
"""SCPI-99, volume 1, 7.2.1: infinity; not a number is written a little above it."""

Answer = TypeVar("Answer")


class _NoiseError(Exception):
    """An answer that cannot be one, or none."""


class ScpiSupply:
    """A supply on USB, RS-232 or the network (`socket://HOST:5025`). `output` chooses one of several by its number."""

    def __init__(
        self,
        port: str,
        *,
        limit_ma: int = 500,
        output: int | None = None,
        baudrate: int = 9600,
        name: str = "supply",
        timeout_s: float = 2.0,
        settle_s: float = 0.1,
    ) -> None:
        self.name = name
        self.garbled = 0
        """Answers that were no answers."""
        self._settle_s = settle_s
        self._milli_v: int | None = None
        self._port = open_port(port, baudrate=baudrate, timeout_s=timeout_s, place=f"{name} at {port}")
        try:
            self.identity = self._identify()
            if output is not None:
                self._command(f"INST:NSEL {output}")
            self._command(f"CURR {limit_ma / 1000:.3f}")
        except BaseException:
            self._port.close()
            raise

    def set_mv(self, milli_v: int) -> None:
        self._milli_v = milli_v
        self._command(f"VOLT {milli_v / 1000:.3f}")
        told = self._ask("VOLT?", _milli)
        if abs(told - milli_v) > _TOLERANCE_MV:
            raise self._error(f"told {milli_v} mV, it set {told} mV", "is that within its range?")
        if self._is_on():
            self._verify()

    def on(self) -> None:
        self._switch(on=True)
        if self._milli_v is None:
            self._milli_v = self._ask("VOLT?", _milli)
        self._verify()

    def off(self) -> None:
        self._switch(on=False)
        for _ in range(_LOOKS):
            sleep(self._settle_s)
            if self.measured_mv() < _OFF_MV:
                return
        raise self._error(
            f"off, and its output has {self.measured_mv()} mV", "take the battery out, or whatever else feeds it"
        )

    def measured_mv(self) -> int:
        return self._ask("MEAS:VOLT?", _milli)

    def measured_ua(self) -> int:
        return self._ask("MEAS:CURR?", _micro)

    def check(self) -> list[str]:
        """Looks, and sets nothing."""
        try:
            if (identity := self._identify()) != self.identity:
                return [f"{self._port.place}: another instrument answers: {identity}"]
            if self._is_on() and self._milli_v is not None:
                self._verify()
        except RigError as error:
            return [str(error)]
        return []

    def blind_spots(self) -> list[str]:
        return [f"{self._port.place}: it measures at its own end of the cable"]

    def close(self) -> None:
        """Without power: nobody watches it any more."""
        with suppress(BenchError):  # a supply that has gone cannot be left any better
            if self._milli_v is not None:
                self._switch(on=False)
        self._milli_v = None
        self._port.close()

    def _identify(self) -> str:
        return self._ask("*IDN?", _identity)

    def _is_on(self) -> bool:
        return self._ask("OUTP?", _state)

    def _switch(self, *, on: bool) -> None:
        self._command("OUTP ON" if on else "OUTP OFF")
        if self._is_on() != on:
            raise self._error(f"its output does not switch {'on' if on else 'off'}", "look at its front panel")

    def _verify(self) -> None:
        assert self._milli_v is not None
        for _ in range(_LOOKS):
            sleep(self._settle_s)
            measured = self.measured_mv()
            if abs(measured - self._milli_v) <= _TOLERANCE * self._milli_v + _TOLERANCE_MV:
                return
        raise self._error(
            f"supply sagging: told {self._milli_v} mV, it gives {measured} mV",
            "look for a short circuit, or raise its current limit",
        )

    def _command(self, text: str) -> None:
        """It is obeyed when the instrument has no error to tell of."""
        for _ in range(_TRIES):
            self._ask_errors()
            self._port.write(text.encode() + b"\n")
            if not (wrong := self._ask_errors()):
                return
            self.garbled += 1
        raise self._error(f"refuses `{text}`: {wrong}", "is it within its range?")

    def _ask_errors(self) -> str:
        """What it has in its queue: the newest, empty for none. Reading an error takes it out."""
        newest = ""
        for _ in range(_LOOKS):
            number, words = self._ask("SYST:ERR?", _error)
            if number == 0:
                return newest
            newest = words
        raise self._error(f"its queue of errors does not end: {newest}", "switch it off and on again")

    def _ask(self, question: str, read: Callable[[str], Answer]) -> Answer:
        heard = b""
        for attempt in range(_TRIES):
            self._port.forget() if attempt == 0 else self._port.settle()
            self._port.write(question.encode() + b"\n")
            answer = self._port.read_until(lambda data: data.endswith(b"\n") or not data.isascii())
            try:
                return read(_line(answer))
            except (_NoiseError, ValueError):
                heard = heard or answer
                self.garbled += bool(answer)
        if heard:
            raise self._port.no_sense(
                f"its answer to {question} makes no sense", "correct its speed, or change the cable"
            )
        raise self._port.no_sense(f"no answer to {question}", "is it on, in remote mode, and is this its port?")

    def _error(self, what: str, mend: str) -> RigError:
        return RigError(self._port.place, what, mend)


def _line(answer: bytes) -> str:
    text = answer.decode("ascii").strip()  # UnicodeDecodeError is a ValueError
    if not answer.endswith(b"\n") or not text.isprintable():
        raise _NoiseError
    return text


def _identity(text: str) -> str:
    """IEEE 488.2, 10.14: maker, model, serial number, firmware."""
    if text.count(",") != 3:
        raise _NoiseError
    return text


def _state(text: str) -> bool:
    states = {"0": False, "1": True, "OFF": False, "ON": True}
    if text not in states:
        raise _NoiseError
    return states[text]


def _error(text: str) -> tuple[int, str]:
    number, _, words = text.partition(",")
    return int(number), words.strip('"') or text


def _milli(text: str) -> int:
    return round(_number(text) * 1e3)


def _micro(text: str) -> int:
    return round(_number(text) * 1e6)


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) < _NO_NUMBER:
        raise _NoiseError
    return number
