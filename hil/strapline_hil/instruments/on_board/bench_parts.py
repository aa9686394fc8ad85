# What a bench board is made of: relays, heaters with their sensors, a shaker. How they are asked for is the program's.
import time

from machine import ADC, PWM, Pin

_READINGS = 16  # of an ADC, averaged
_HEATER_HZ, _SHAKER_HZ = 100, 20000
_HOTTEST = 6000  # centidegrees: a heater whose sensor says more is switched off
# A heater is given what its target needs if it is as described, three times its error, and what the error has taught: within 3 K, for
# further away it still warms up.
_GAIN, _LEARNS = 3, 0.0125  # 3, twice a second over 120 s
_NEAR, _GOOD = 300, 5


class Refusal(Exception):
    pass


class Relay:
    def __init__(self, pin, active_low):
        self._low = 1 if active_low else 0
        self._pin = Pin(pin, Pin.OUT, value=self._low)

    def set(self, on):
        self._pin.value(on ^ self._low)

    def state(self):
        return self._pin.value() ^ self._low  # what the pin has, not what it was told


class Max30205:
    def __init__(self, bus, address):
        self._bus, self._address = bus, address

    def centi_c(self):
        high, low = self._bus.readfrom_mem(self._address, 0, 2)
        raw = high << 8 | low
        return ((raw - 65536 if raw & 0x8000 else raw) * 100 + 128) >> 8


class Thermistor:
    # To ground, below a resistor of `above` ohm to the ADC's reference; `r25` and `beta` from its data sheet.
    def __init__(self, pin, above, r25, beta):
        self._adc, self._above, self._r25, self._beta = make_analog(pin), above, r25, beta

    def centi_c(self):
        from math import log

        raw = average(self._adc)
        if not 600 < raw < 65000:
            raise OSError(5)  # broken or shorted
        ohm = self._above * raw / (65535 - raw)
        return int(100 / (1 / 298.15 + log(ohm / self._r25) / self._beta) - 27315)


class Heater:
    def __init__(self, given, bus):
        kind, values = given["sensor"][0], given["sensor"][1:]
        self._sensor = Max30205(bus, *values) if kind == "max30205" else Thermistor(*values)
        self._pwm = PWM(Pin(given["pwm"]), freq=_HEATER_HZ, duty_u16=0)
        self._cool = None if given["cool"] is None else Pin(given["cool"], Pin.OUT, value=0)
        self._room, self._span = given["room_centi_c"], given["span_centi_k"]
        self.target = None
        self.fault = ""
        self.duty = self._learnt = 0

    def aim(self, target, fault=""):
        self.target, self.fault = target, fault
        self._learnt = 0
        self._drive(0 if target is None else target - self._room)

    def _drive(self, centi_k):
        least = 0 if self._cool is None else -self._span
        centi_k = max(least, min(centi_k, self._span))
        if self._cool is not None:
            self._cool.value(1 if centi_k < 0 else 0)
        self.duty = abs(centi_k) * 65535 // self._span
        self._pwm.duty_u16(self.duty)

    def measure(self):
        # A heater whose sensor does not answer, or burns, is off until it gets a new target.
        try:
            centi_c = self._sensor.centi_c()
        except OSError:
            centi_c = None
            self.aim(None, "the sensor does not answer; the heater is off")
        if centi_c is not None and centi_c > _HOTTEST:
            self.aim(None, "it is at %d centidegrees; the heater is off" % centi_c)
        return centi_c

    def control(self):
        centi_c = self.measure()
        if self.target is None:
            return
        error = self.target - centi_c
        if abs(error) < _NEAR:
            self._learnt += error * _LEARNS
        if abs(error) > _GOOD:
            self._drive(self.target - self._room + int(self._learnt) + _GAIN * error)


class PwmShaker:
    # One PWM an axis, low-pass and amplifier behind it; half of full is rest.
    def __init__(self, pins, full_scale_mg):
        self._full = full_scale_mg
        self._axes = [PWM(Pin(pin), freq=_SHAKER_HZ, duty_u16=32768) for pin in pins]
        self._samples = b""
        self.left = 0

    def play(self, rate, samples):
        self._rate, self._samples = rate, samples
        self.left = len(samples) // 6
        self._began = time.ticks_ms()
        self._count = 0

    def still(self):
        self.left = 0
        for axis in self._axes:
            axis.duty_u16(32768)

    def tick(self):
        # Milliseconds until the next sample, or None.
        if not self.left:
            return None
        due = self._count * 1000 // self._rate - time.ticks_diff(time.ticks_ms(), self._began)
        if due > 0:
            return due
        self._show(self._count * 6)
        self._count += 1
        self.left -= 1
        if not self.left:
            self.still()
        return 0

    def _show(self, at):
        samples = self._samples
        for axis in self._axes:
            mg = samples[at] << 8 | samples[at + 1]
            mg = max(-self._full, min(mg - 65536 if mg & 0x8000 else mg, self._full))
            axis.duty_u16(32768 + mg * 32767 // self._full)
            at += 2


def make_analog(pin):
    # An ESP32 measures up to 1 V unless it is told otherwise.
    if hasattr(ADC, "ATTN_11DB"):
        return ADC(Pin(pin), atten=ADC.ATTN_11DB)
    return ADC(Pin(pin))


def average(adc):
    total = 0
    for _ in range(_READINGS):
        total += adc.read_u16()
    return total // _READINGS


def make_shaker(pins, full_scale_mg):
    # A shaker with a converter of its own brings a module of that name on the board's flash: Shaker(full_scale_mg), as above.
    try:
        from strapline_shaker import Shaker
    except ImportError:
        return PwmShaker(pins, full_scale_mg)
    return Shaker(full_scale_mg)
