"""MAX30205: Maxim 19-8505. Temperature and configuration; the thermostat's registers are kept and do nothing."""

from strapline_simulator.board.circuit import Circuit, NackError

CONVERSION_MS = 44
"""Typical; 50 at most."""

_POINTERS = 4
_ONE_SHOT, _EXTENDED, _SHUTDOWN = 0x80, 0x20, 0x01


class Max30205:
    """`centi_c` is the temperature around it."""

    def __init__(self, circuit: Circuit, centi_c: int) -> None:
        self._circuit = circuit
        self.centi_c = centi_c
        self.present = True
        self.conversions = 0
        self._configuration = 0
        self._raw = 0  # power-up: 0 °C, whatever the temperature
        self._limits = {2: b"\x4b\x00", 3: b"\x50\x00"}
        self._continue()

    def _continue(self) -> None:
        if not self._configuration & _SHUTDOWN:
            self._circuit.later(CONVERSION_MS, self._converted_freely)

    def _converted_freely(self) -> None:
        if not self._configuration & _SHUTDOWN:
            self._convert()
            # Until somebody looks, the next conversion is as good as this one.
            self._circuit.later(1000, self._converted_freely)

    def _convert(self) -> None:
        self.conversions += 1
        centi_c = self.centi_c - (6400 if self._configuration & _EXTENDED else 0)
        self._raw = max(-0x8000, min(round(centi_c * 256 / 100), 0x7FFF)) & 0xFFFF

    def transfer(self, data: bytes, size: int) -> bytes:
        if not self.present:
            raise NackError
        pointer = data[0] % _POINTERS if data else 0
        if len(data) > 1:
            self._write(pointer, data[1:])
        if pointer == 1:
            return bytes([self._configuration])[:size]
        return (self._raw.to_bytes(2, "big") if pointer == 0 else self._limits[pointer])[:size]

    def _write(self, pointer: int, data: bytes) -> None:
        if pointer == 1:
            was_free = not self._configuration & _SHUTDOWN
            self._configuration = data[0] & ~_ONE_SHOT
            if self._configuration & _SHUTDOWN:
                if data[0] & _ONE_SHOT:
                    self._circuit.later(CONVERSION_MS, self._convert)
            elif not was_free:
                self._continue()
        elif pointer in self._limits:
            self._limits[pointer] = data[:2]
