# The program of a tag: makes everything, then sleeps until something is due or comes. All that it decides, the tag decides.
import gc
import io
import json
import os
import select
import sys
import time

import machine
import micropython

from strapline_boards import st25dv
from strapline_boards.deadlines import NEVER
from strapline_boards.memory import Memory, read
from strapline_boards.radio import Radio
from strapline_boards.sensors import Sensors
from strapline_boards.sim7080 import Modem
from strapline_boards.ublox import Receiver
from strapline_tag import outputs as out
from strapline_tag import storage
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag
from strapline_wire.ccm import CcmCipher
from strapline_wire.compat import const

try:
    import bluetooth
except ImportError:
    bluetooth = None

_LATE_MS = const(1000)  # inputs that never end do not keep timers waiting for longer


class _Wake(io.IOBase):
    # What a poll can wait for: set in an interrupt. Those of pins note which, and nothing else.
    def __init__(self):
        self.is_set = self.edge = self.press = self.key = False

    def ioctl(self, request, argument):
        return argument & 1 if request == 3 and self.is_set else 0  # MP_STREAM_POLL, POLLIN

    def on_edge(self, pin):
        self.is_set = self.edge = True

    def on_press(self, pin):
        self.is_set = self.press = True

    def on_key(self, pin):
        self.is_set = self.key = True


class Product:
    # slots: the boot program's, or None.
    def __init__(self, board, secret: bytes, settings: dict, slots):
        self._watchdog = machine.WDT(timeout=board.WATCHDOG_MS)
        self._now = 0
        self._ticks = time.ticks_ms()  # type: ignore[attr-defined]
        self._wake = wake = _Wake()
        pin = machine.Pin
        self._was_away = False
        pins = []
        for number, noted in (
            (board.STRAP_EDGE, wake.on_edge),
            (board.KEY, wake.on_key),
            (board.BUTTON, wake.on_press),
        ):
            if number is not None:
                watched = pin(number, pin.IN, pin.PULL_UP)
                watched.irq(noted, pin.IRQ_RISING | pin.IRQ_FALLING)
                pins.append(watched)
        self._edge_pin = pins[0]
        self._was_open = pins[0]() == 1
        self._button = pins[-1]
        i2c = machine.I2C(board.I2C, sda=pin(board.SDA), scl=pin(board.SCL), freq=400000)
        self._i2c = i2c
        gnss = machine.UART(board.GNSS_UART, board.GNSS_BAUD, tx=pin(board.GNSS_TX), rx=pin(board.GNSS_RX), rxbuf=1024)
        line = machine.UART(board.MODEM_UART, 115200, tx=pin(board.MODEM_TX), rx=pin(board.MODEM_RX), rxbuf=1024)
        key = pin(board.MODEM_KEY, pin.OUT, value=0)
        self._radio = Radio(bluetooth, wake)
        self._receiver = Receiver(gnss)
        self._modem = Modem(line, key, settings)
        talking = self._radio, self._receiver, self._modem
        self._motor = None if board.MOTOR is None else pin(board.MOTOR, pin.OUT, value=0)
        config = Config(settings.get("config"))
        self._sensors = sensors = Sensors(board, machine, i2c, talking, config)
        self._parts = talking + (sensors, self)
        self.due = NEVER  # the motor stops
        self._poller = select.poll()
        for source in (wake, gnss, line):
            self._poller.register(source, select.POLLIN)
        self._try_mailbox(st25dv.start)
        # After the radio: with it off the random numbers of an ESP32 are none.
        self._tag = Tag(secret, Memory(), os.urandom, CcmCipher, board.journal(config.journal_bytes), config, slots)
        for part in talking:
            part.tag = self._tag
        self._sampler = Sampler(self._tag, sensors, config, 0)

    # The loop.

    def run(self) -> None:
        while True:
            self._watchdog.feed()
            self._wake.is_set = False
            ticks = time.ticks_ms()  # type: ignore[attr-defined]
            self._now += time.ticks_diff(ticks, self._ticks)  # type: ignore[attr-defined]
            self._ticks = ticks
            now = self._now
            came = self._inputs(now)
            if not came or now - self._due() > _LATE_MS:
                self._timers(now)
            self._carry_out(now)
            situation = self._tag.situation
            away = situation.armed and situation.away
            if away != self._was_away:
                self._was_away = away
                self._modem.stand_by(now, away)
            # What came may have made something due: an instant of sleep lets the radio work before.
            wait_ms = 0 if came else max(0, self._due() - self._now)
            for _ in self._poller.ipoll(wait_ms):  # type: ignore[attr-defined]
                pass

    def _due(self) -> int:
        due = min(self._tag.next_deadline(), self._sampler.due)
        for part in self._parts:
            if part.due < due:
                due = part.due
        return due

    def _inputs(self, now: int) -> bool:
        came = False
        wake = self._wake
        if wake.edge:
            # However late we are: edges without a change are an opening that is over, or a closing.
            wake.edge = False
            came = True
            is_open = self._edge_pin() == 1
            if is_open == self._was_open:
                self._tag.feed_strap_edge(now, not is_open)
            self._was_open = is_open
            self._tag.feed_strap_edge(now, is_open)
        if wake.press:
            wake.press = False
            came = True
            self._tag.feed_button(now, not self._button())
        if wake.key:
            sealed = self._try_mailbox(st25dv.take)
            if sealed:
                came = True
                self._tag.feed_key(now, sealed)
        for part in (self._radio, self._receiver, self._modem):
            if part.poll(now):
                came = True
        return came

    def _try_mailbox(self, call):
        # While it serves the field it is silent: then again with the next sample.
        try:
            answer = call(self._i2c)
        except OSError:
            return None
        self._wake.key = False
        return answer

    def handle_timer(self, now: int) -> None:
        self._motor(0)
        self.due = NEVER

    def _timers(self, now: int) -> None:
        # Both looked at before either runs, as every body does.
        tag, sampler = self._tag, self._sampler
        tag_is_due = tag.next_deadline() <= now
        if sampler.due <= now:
            self._sensors.sample(now)
            sampler.handle_timer(now)
        if tag_is_due:
            tag.handle_timer(now)
        for part in self._parts:
            if part.due <= now:
                part.handle_timer(now)

    def _carry_out(self, now: int) -> None:
        tag = self._tag
        while tag.has_outputs():
            for output in tag.take_outputs():
                kind = output[0]
                if kind == out.ADVERTISE:
                    self._radio.advertise(now, output[1], output[2])
                elif kind == out.GNSS_POWER:
                    self._receiver.power(now, output[1])
                elif kind == out.LINK_OPEN:
                    self._modem.dial(now)
                elif kind == out.VIBRATE:
                    if self._motor:
                        self._motor(1)
                        self.due = now + output[1]
                elif kind == out.RESTART:
                    machine.reset()
                elif kind != out.SHOW:  # no board here has a display
                    bearer = self._radio if output[1] == out.BLE else self._modem
                    if kind == out.LINK_SEND:
                        bearer.send(now, output[2])
                    else:
                        bearer.hang_up(now)


def main(board, production: bool) -> None:
    # Gives back only where the board is no tag yet: then it waits for `strapline provision`.
    secret = read(storage.SECRET)
    if len(secret) != 16:
        return
    # Collected early and often, garbage leaves the heap whole: large blocks are there when a document comes.
    gc.threshold(16384)  # type: ignore[attr-defined]
    if production:
        micropython.kbd_intr(-1)
        os.dupterm(None)  # type: ignore[attr-defined]
    try:
        boot = sys.modules.get("strapline_boot")  # it has started us where there is one, and left its slots there
        Product(board, secret, json.loads(read(storage.SETTINGS) or "{}"), getattr(boot, "slots", None)).run()
    except Exception as error:
        with open(storage.CRASH, "w") as file:
            sys.print_exception(error, file)  # type: ignore[attr-defined]
    machine.reset()
