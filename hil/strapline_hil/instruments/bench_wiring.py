"""What is at which pin of a bench board. Pins are numbers as MicroPython's `Pin` takes them on that board."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from strapline_protocol.errors import UserError


class RelayPin(NamedTuple):
    """A channel; many relay boards switch on at a low level."""

    pin: int
    active_low: bool = False


class Sense(NamedTuple):
    """An ADC pin in the middle of a divider: `above_ohm` to the ADC's reference, what is measured to ground."""

    pin: int
    above_ohm: int = 10_000


class Max30205At(NamedTuple):
    """The sensor of a heater: a MAX30205 on the I2C bus."""

    address: int

    def told(self) -> tuple[Any, ...]:
        return "max30205", self.address


class ThermistorAt(NamedTuple):
    """The sensor of a heater: an NTC to ground at an ADC pin, with `r25_ohm` and `beta` of its data sheet."""

    pin: int
    above_ohm: int = 10_000
    r25_ohm: int = 10_000
    beta: int = 3950

    def told(self) -> tuple[Any, ...]:
        return "ntc", *self


class HeaterWiring(NamedTuple):
    """A heater, or a Peltier element where `cool` is the pin that turns its current round."""

    pwm: int
    sensor: Max30205At | ThermistorAt
    cool: int | None = None
    room_centi_c: int = 2200
    span_centi_k: int = 4000
    """How far above the room full power holds it."""


class I2cBus(NamedTuple):
    ident: int
    scl: int
    sda: int


class UartPins(NamedTuple):
    ident: int
    tx: int
    rx: int


class BenchWiring(NamedTuple):
    """One bench board's parts; what is not there is left out."""

    relays: Mapping[int, RelayPin] = {}
    senses: Mapping[str, Sense] = {}
    heaters: Mapping[str, HeaterWiring] = {}
    i2c: I2cBus | None = None
    shaker: tuple[int, ...] = ()
    """PWM pins of x, y, z."""
    full_scale_mg: int = 4000
    motor: int | None = None
    uart: UartPins | None = None

    def check(self) -> None:
        """`UserError` where two parts are at one pin, or a part lacks another."""
        twice = [str(pin) for pin, count in Counter(self._pins()).items() if count > 1]
        if twice:
            raise UserError(f"bench board: pin {', '.join(twice)} is given twice; one pin, one part")
        on_bus = [name for name, heater in self.heaters.items() if isinstance(heater.sensor, Max30205At)]
        if on_bus and self.i2c is None:
            raise UserError(f"bench board: heater {on_bus[0]} has its sensor on I2C; say which pins `i2c` is at")
        if self.shaker and len(self.shaker) != 3:
            raise UserError(f"bench board: a shaker has three pins, x, y and z, and {len(self.shaker)} are given")

    def _pins(self) -> Iterator[int]:
        yield from (relay.pin for relay in self.relays.values())
        yield from (sense.pin for sense in self.senses.values())
        for heater in self.heaters.values():
            yield heater.pwm
            if heater.cool is not None:
                yield heater.cool
            if isinstance(heater.sensor, ThermistorAt):
                yield heater.sensor.pin
        yield from self.shaker
        for group in (self.i2c, self.uart):
            yield from group[1:] if group is not None else ()
        if self.motor is not None:
            yield self.motor

    def told(self, watchdog_s: float) -> dict[str, Any]:
        """What the board's program is begun with."""
        return {
            "relays": {channel: tuple(relay) for channel, relay in self.relays.items()},
            "senses": {name: sense.pin for name, sense in self.senses.items()},
            "heaters": {name: _told_heater(heater) for name, heater in self.heaters.items()},
            "i2c": None if self.i2c is None else tuple(self.i2c),
            "shaker": self.shaker,
            "full_scale_mg": self.full_scale_mg,
            "motor": self.motor,
            "uart": None if self.uart is None else tuple(self.uart),
            "watchdog_ms": round(watchdog_s * 1000),
        }


def _told_heater(heater: HeaterWiring) -> dict[str, Any]:
    return heater._asdict() | {"sensor": heater.sensor.told()}


PICO = BenchWiring(
    relays={channel: RelayPin(channel + 1) for channel in range(1, 9)},
    senses={"strap": Sense(26)},
    heaters={
        "skin": HeaterWiring(16, Max30205At(0x48), cool=12),
        "ambient": HeaterWiring(17, Max30205At(0x49), cool=13),
    },
    i2c=I2cBus(1, scl=15, sda=14),
    shaker=(18, 19, 20),
    motor=10,
    uart=UartPins(0, tx=0, rx=1),
)
"""Everything at once on a Raspberry Pi Pico; what shares a PWM slice there has the same frequency."""
