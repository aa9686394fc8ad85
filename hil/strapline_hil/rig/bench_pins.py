"""What a rig file says of the pins of a bench board. Without them it is wired as the Raspberry Pi Pico of the docs."""

from typing import Annotated, Literal

from pydantic import Field

from strapline_hil.instruments.bench_wiring import (
    PICO,
    BenchWiring,
    HeaterWiring,
    I2cBus,
    Max30205At,
    RelayPin,
    Sense,
    ThermistorAt,
    UartPins,
)
from strapline_simulator.scenario.strict import Strict

Pin = Annotated[int, Field(ge=0, le=48)]


class RelayAt(Strict):
    """One channel."""

    pin: Pin
    active_low: bool = Field(default=False, description="on at a low level, as many relay boards are")


class SenseAt(Strict):
    """An ADC pin in the middle of a divider."""

    pin: Pin
    above_ohm: int = Field(default=10_000, gt=0, description="from there to the ADC's reference")


class Max30205(Strict):
    """On the board's I2C bus."""

    max30205: int = Field(description="its address, such as 0x48", ge=0x08, le=0x77)


class Thermistor(Strict):
    """An NTC from an ADC pin to ground."""

    ntc: Pin
    above_ohm: int = Field(default=10_000, gt=0)
    r25_ohm: int = Field(default=10_000, gt=0)
    beta: int = Field(default=3950, gt=0)


class HeaterAt(Strict):
    """A heater, or a Peltier element."""

    pwm: Pin
    cool: Pin | None = Field(default=None, description="the pin that turns a Peltier element's current round")
    sensor: Max30205 | Thermistor
    room_c: float = Field(default=22.0, description="where it is without current")
    span_c: float = Field(default=40.0, gt=0, description="how far above the room full power holds it")


class BusAt(Strict):
    """I2C."""

    id: int = 1
    scl: Pin
    sda: Pin


class UartAt(Strict):
    """A UART."""

    id: int = 0
    tx: Pin
    rx: Pin


class Pins(Strict):
    """What is not given is not there."""

    relays: dict[int, RelayAt] | None = None
    senses: dict[str, SenseAt] | None = None
    heaters: dict[Literal["skin", "ambient"], HeaterAt] | None = None
    i2c: BusAt | None = None
    shaker: tuple[Pin, Pin, Pin] | None = Field(default=None, description="PWM pins of x, y and z")
    full_scale_mg: int = Field(default=PICO.full_scale_mg, gt=0)
    motor: Pin | None = None
    uart: UartAt | None = None


def wiring_of(pins: Pins | None) -> BenchWiring:
    """What the board's driver takes. Raises `UserError` where two parts are at one pin."""
    if pins is None:
        return PICO
    wiring = BenchWiring(
        relays={channel: RelayPin(one.pin, one.active_low) for channel, one in (pins.relays or {}).items()},
        senses={name: Sense(one.pin, one.above_ohm) for name, one in (pins.senses or {}).items()},
        heaters={name: _heater(one) for name, one in (pins.heaters or {}).items()},
        i2c=I2cBus(pins.i2c.id, pins.i2c.scl, pins.i2c.sda) if pins.i2c else None,
        shaker=pins.shaker or (),
        full_scale_mg=pins.full_scale_mg,
        motor=pins.motor,
        uart=UartPins(pins.uart.id, pins.uart.tx, pins.uart.rx) if pins.uart else None,
    )
    wiring.check()
    return wiring


def _heater(given: HeaterAt) -> HeaterWiring:
    sensor = given.sensor
    return HeaterWiring(
        given.pwm,
        Max30205At(sensor.max30205)
        if isinstance(sensor, Max30205)
        else ThermistorAt(sensor.ntc, sensor.above_ohm, sensor.r25_ohm, sensor.beta),
        given.cool,
        round(given.room_c * 100),
        round(given.span_c * 100),
    )
