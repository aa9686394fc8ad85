"""Which chip is at which pin: the circuit that the pin table of a board asks for, and what the world does to it."""

import struct
from collections.abc import Callable

from strapline_boards.pico_w import Board
from strapline_simulator.board.chips.lis3dh import Lis3dh
from strapline_simulator.board.chips.max17048 import Max17048
from strapline_simulator.board.chips.max30205 import Max30205
from strapline_simulator.board.chips.radio import Radio
from strapline_simulator.board.chips.sim7080 import Sim7080
from strapline_simulator.board.chips.st25dv import St25dv
from strapline_simulator.board.chips.ublox import Ublox
from strapline_simulator.board.circuit import Circuit
from strapline_tag import outputs as out

_ADC_BITS = 12
"""Of RP2040, ESP32-C3 and nRF52840 alike; `read_u16` spreads them over 16."""


class Wiring:
    """One board with its chips, from power-on."""

    def __init__(self, board: type[Board], before: "Wiring | None" = None) -> None:
        """`before`: the same board before power was cut; what is around it is as it was."""
        self.circuit = circuit = Circuit()
        self._pins = board
        self.strap_ohm = 1000
        self.gauge = Max17048()
        self.skin, self.ambient = Max30205(circuit, 3300), Max30205(circuit, 2200)
        self.motion = Lis3dh(circuit)
        self.key = St25dv(circuit, board.KEY)
        self._motor_since: int | None = None
        self._wire()
        if before is not None:
            self._take_over(before)

    def _take_over(self, before: "Wiring") -> None:
        pins, levels = self._pins, before.circuit.levels
        self.strap_ohm = before.strap_ohm
        for mine, its in ((self.skin, before.skin), (self.ambient, before.ambient)):
            mine.centi_c, mine.present = its.centi_c, its.present
        self.gauge.percent, self.gauge.milli_v = before.gauge.percent, before.gauge.milli_v
        self.gnss.jam, self.modem.level, self.modem.registered = (
            before.gnss.jam,
            before.modem.level,
            before.modem.registered,
        )
        self.motion.present, self.gnss.present = before.motion.present, before.gnss.present
        self.modem.present, self.radio.present = before.modem.present, before.radio.present
        self.circuit.levels |= {pin: levels[pin] for pin in (pins.CASE, pins.CHARGING, pins.WATER)}
        self.circuit.levels[pins.STRAP_EDGE] = int(self.strap_ohm > pins.STRAP_PULL_UP_OHM)

    def _motor(self, level: int) -> None:
        now = self.circuit.now
        if level:
            self._motor_since = now
        elif self._motor_since is not None:
            self.circuit.output(out.VIBRATE, struct.pack(">H", min(now - self._motor_since, 0xFFFF)))
            self._motor_since = None

    def _wire(self) -> None:
        circuit, pins = self.circuit, self._pins

        def say(kind: int, head: bytes = b"") -> Callable[[bytes], None]:
            return lambda data: circuit.output(kind, head + data)

        ble, cellular = bytes([out.BLE]), bytes([out.CELLULAR])
        self.radio = Radio(
            circuit,
            on_advertise=lambda address, data: circuit.output(out.ADVERTISE, address + data),
            on_send=say(out.LINK_SEND, ble),
            on_hang_up=lambda: circuit.output(out.LINK_CLOSE, ble),
        )
        self.gnss = Ublox(circuit, pins.GNSS_UART, lambda on: circuit.output(out.GNSS_POWER, bytes([on])))
        self.modem = Sim7080(
            circuit,
            pins.MODEM_UART,
            on_open=lambda: circuit.output(out.LINK_OPEN, cellular),
            on_send=say(out.LINK_SEND, cellular),
            on_close=lambda: circuit.output(out.LINK_CLOSE, cellular),
        )
        circuit.bus = {0x48: self.skin, 0x49: self.ambient, 0x18: self.motion, 0x36: self.gauge, 0x53: self.key}
        circuit.uarts = {pins.GNSS_UART: self.gnss, pins.MODEM_UART: self.modem}
        circuit.on_pin = {pins.MODEM_KEY: self.modem.key, pins.MOTOR: self._motor}
        circuit.driven = {pins.MOVED: self.motion.moved}
        circuit.levels |= {pins.STRAP_EDGE: 0, pins.CASE: 0, pins.CHARGING: 1, pins.WATER: 1}
        circuit.analog = {
            pins.STRAP_ADC: lambda: _adc(self.strap_ohm, self.strap_ohm + pins.STRAP_PULL_UP_OHM),
        }
        circuit.output(out.GNSS_POWER, b"\x01")  # a receiver starts with the supply

    def sense(self, sensor: str, value: int) -> None:
        """A quantity of the bench's SENSORS, as the chip or the pin shows it."""
        circuit, pins = self.circuit, self._pins
        if sensor == "strap_ohm":
            self.strap_ohm = value
        elif sensor == "skin_centi_c":
            self.skin.centi_c = value
        elif sensor == "ambient_centi_c":
            self.ambient.centi_c = value
        elif sensor == "battery_percent":
            self.gauge.percent = value
        elif sensor == "battery_mv":
            self.gauge.milli_v = value
        elif sensor == "charging":
            circuit.drive(pins.CHARGING, 1 - value)
        elif sensor == "case_open":
            circuit.drive(pins.CASE, value)
        elif sensor == "immersed":
            circuit.drive(pins.WATER, 1 - value)
        elif sensor == "faults":
            self._break(value)
        elif sensor == "jam":
            self.gnss.jam = value
        elif sensor == "cell_dbm":
            self.modem.hears(value)
        else:
            raise ValueError(f"the virtual board has no {sensor}")

    def _break(self, bits: int) -> None:
        """Chips that fall silent; the strap's ADC and the flash are parts of the processor, and stay."""
        for bit, chip in ((2, self.skin), (4, self.ambient), (8, self.motion), (16, self.gnss), (32, self.modem)):
            chip.present = not bits & bit

    def strap_edge(self, is_open: bool) -> None:
        self.circuit.drive(self._pins.STRAP_EDGE, int(is_open))

    def button(self, pressed: bool) -> None:
        if self._pins.BUTTON is not None:
            self.circuit.drive(self._pins.BUTTON, int(not pressed))

    def move(self, content: bytes) -> None:
        """A MOTION message: rate, then triplets of 16 bits."""
        values = struct.unpack(f">{(len(content) - 1) // 2}h", content[1:])
        self.motion.play(content[0], list(zip(values[::3], values[1::3], values[2::3], strict=True)))


def _adc(part: int, whole: int) -> int:
    level = min(part * ((1 << _ADC_BITS) - 1) // whole, (1 << _ADC_BITS) - 1)
    return level << (16 - _ADC_BITS) | level >> (2 * _ADC_BITS - 16)
