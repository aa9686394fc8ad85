# The bench board's program: outputs, readings and a UART beside the tag, for whoever speaks lines over the board's USB. It is sent into the
# board's memory and run there; nothing is written on its flash. It knows no tag: what a relay or a heater means is the host's business.
#
# A request is `NUMBER WORD ARGUMENTS CRC`, an answer `NUMBER ok|no|fell WORDS CRC`: text, one line each, CRC-16 in hexadecimal over all
# before the blank in front of it. A request with the number of the one before is answered again and not done again. What the noise on a
# line has spoilt is answered `0 bad`. After `fell` the outputs are safe, because the host was silent for too long.
import gc
import select
import sys
import time

from bench_parts import Heater, Refusal, Relay, average, make_analog, make_shaker
from machine import I2C, UART, Pin

NAME = "strapline-bench"
VERSION = 1

_LINE_LIMIT = 4096
_CONTROL_MS = 500
_UART_LIMIT_MS = 1000

_NIBBLES = (
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
    0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
)  # fmt: skip


def crc16(data):
    # As strapline_wire.link, which a bare board does not have: CRC-16/GENIBUS by nibbles.
    crc = 0xFFFF
    table = _NIBBLES
    for byte in data:
        crc = ((crc << 4) & 0xFFF0) ^ table[(crc >> 12) ^ (byte >> 4)]
        crc = ((crc << 4) & 0xFFF0) ^ table[(crc >> 12) ^ (byte & 15)]
    return crc ^ 0xFFFF


class Board:
    def __init__(self, wiring):
        self._relays = {}
        for channel, given in wiring["relays"].items():
            self._relays[channel] = Relay(*given)
        self._senses = {}
        for name, pin in wiring["senses"].items():
            self._senses[name] = make_analog(pin)
        bus = None
        if wiring["i2c"]:
            ident, scl, sda = wiring["i2c"]
            bus = I2C(ident, scl=Pin(scl), sda=Pin(sda), freq=100000)
        self._heaters = {}
        for name, given in wiring["heaters"].items():
            self._heaters[name] = Heater(given, bus)
        self._shaker = make_shaker(wiring["shaker"], wiring["full_scale_mg"]) if wiring["shaker"] else None
        self._samples = b""
        self._motor = None if wiring["motor"] is None else Pin(wiring["motor"], Pin.OUT, value=0)
        self._uart, self._uart_pins = None, wiring["uart"]
        self._watchdog_ms = wiring["watchdog_ms"]
        self._heard_at = self._controlled_at = time.ticks_ms()
        self._fell = False

    def safe(self):
        for relay in self._relays.values():
            relay.set(0)
        for heater in self._heaters.values():
            heater.aim(None)
        if self._shaker:
            self._shaker.still()
        if self._motor:
            self._motor.value(0)

    def obey(self, word, args):
        # What an answer says behind its number. Whatever the host has asked for wrongly is refused in words.
        self._heard_at = time.ticks_ms()
        if self._fell:
            self._fell = False
            return "fell %d" % self._watchdog_ms
        action = getattr(self, "do_" + word, None)
        if action is None:
            return "no unknown: " + word
        try:
            return "ok " + action(*args)
        except Refusal as refusal:
            return "no " + refusal.args[0]
        except KeyError as error:
            return "no the board's wiring has no %s" % error.args[0]
        except Exception as error:  # whatever a request has wrong in it, the next one is served
            return "no " + repr(error).replace("\n", " ")

    # What is due without a word from the host.

    def tick(self):
        # Milliseconds until something is due again; -1: never.
        now = time.ticks_ms()
        wait = self._watch(now)
        if self._shaker and self._shaker.left:
            wait = least(wait, self._shaker.tick())
        for heater in self._heaters.values():
            if heater.target is not None:
                return least(wait, self._control(now))
        return wait

    def _watch(self, now):
        if not self._watchdog_ms or self._fell:
            return -1
        left = self._watchdog_ms - time.ticks_diff(now, self._heard_at)
        if left > 0:
            return left
        self._fell = True
        self.safe()
        return -1

    def _control(self, now):
        left = _CONTROL_MS - time.ticks_diff(now, self._controlled_at)
        if left > 0:
            return left
        self._controlled_at = now
        for heater in self._heaters.values():
            heater.control()
        return _CONTROL_MS

    # Requests.

    def do_hello(self):
        try:
            from machine import unique_id

            ident = "".join(["%02x" % byte for byte in unique_id()])
        except ImportError:
            ident = "-"
        gc.collect()
        return "%s %d %s %s %d" % (NAME, VERSION, sys.platform, ident or "-", gc.mem_free())

    def do_set(self, channel, on):
        self._relays[int(channel)].set(int(on))
        return self.do_states()

    def do_states(self):
        return " ".join(["%d=%d" % (channel, self._relays[channel].state()) for channel in sorted(self._relays)])

    def do_pulse(self, channel, milliseconds):
        relay = self._relays[int(channel)]
        relay.set(1)
        began = time.ticks_us()
        was_on = relay.state()
        time.sleep_ms(int(milliseconds))
        lasted = time.ticks_diff(time.ticks_us(), began)
        relay.set(0)
        return "%d %d %d" % (was_on, relay.state(), lasted)

    def do_read(self, name):
        return str(average(self._senses[name]))

    def do_warm(self, name, target):
        self._heaters[name].aim(None if target == "off" else int(target))
        return ""

    def do_temp(self, name):
        heater = self._heaters[name]
        centi_c = None if heater.fault else heater.measure()
        if centi_c is None or heater.fault:
            raise Refusal(heater.fault)
        return str(centi_c)

    def do_room(self):
        # How many samples fit: half of what is free, the other half is for the lines that bring them.
        gc.collect()
        return str(gc.mem_free() // 12)

    def do_shake(self, count):
        if not self._shaker:
            raise Refusal("the board's wiring has no shaker")
        self._shaker.still()
        self._samples = b""
        gc.collect()
        self._samples = bytearray(int(count) * 6)
        return ""

    def do_more(self, at, text):
        data = bytes.fromhex(text)
        at = int(at)
        if at + len(data) > len(self._samples):
            raise Refusal("too many samples")
        self._samples[at : at + len(data)] = data
        return ""

    def do_play(self, rate):
        if int(rate) < 1:
            raise Refusal("a rate below 1 Hz")
        self._shaker.play(int(rate), self._samples)
        return ""

    def do_still(self):
        self._shaker.still()
        return ""

    def do_left(self):
        return str(self._shaker.left)

    def do_motor(self, on):
        self._motor.value(int(on))
        return str(self._motor.value())

    def do_baud(self, baud):
        ident, tx, rx = self._uart_pins
        self._uart = UART(ident, int(baud), tx=Pin(tx), rx=Pin(rx), rxbuf=1024)
        return ""

    def do_uart(self, text):
        data = bytes.fromhex(text)
        began = time.ticks_ms()
        while data:  # a port takes what it has room for, and None where it has none
            data = data[self._uart.write(data) or 0 :]
            if time.ticks_diff(time.ticks_ms(), began) > _UART_LIMIT_MS:
                raise Refusal("the UART does not take what is sent")
        if hasattr(self._uart, "flush"):
            self._uart.flush()
        return ""

    def do_heard(self):
        data = self._uart.read(512) or b""
        return "".join(["%02x" % byte for byte in data])

    def do_safe(self):
        self.safe()
        return ""


def least(one, other):
    if one < 0 or other is None:
        return one if other is None else other
    return min(one, other)


class Door:
    def __init__(self, board):
        self._board = board
        self._line = bytearray()
        self._number = b""  # of the last request, and what was answered
        self._said = b""

    def serve(self):
        receive = sys.stdin.buffer.read
        poller = select.poll()
        poller.register(sys.stdin, select.POLLIN)
        while True:
            if not poller.poll(self._board.tick()):
                continue
            while poller.poll(0):  # a UART's buffer is small: what is there is read before anything else is done
                byte = receive(1)
                # No line begins with this byte: whoever comes next (mpremote, a terminal, the next run) wants the prompt.
                if not byte or (byte == b"\x03" and not self._line):
                    return
                if byte in b"\n\r\0":
                    self._finish()
                elif len(self._line) <= _LINE_LIMIT:
                    self._line.extend(byte)

    def _finish(self):
        if self._line:
            line, self._line = bytes(self._line), bytearray()
            self._take(line)

    def _take(self, line):
        said, _, crc = line.rpartition(b" ")
        words = said.decode().split(" ") if crc == b"%04x" % crc16(said) else ()
        if len(words) < 2:
            self._say(b"0 bad")
            return
        number = words[0].encode()
        if number != self._number:
            self._said = number + b" " + self._board.obey(words[1], words[2:]).strip().encode()
            self._number = number
        self._say(self._said)

    def _say(self, said):
        sys.stdout.buffer.write(b"\n%s %04x\n" % (said, crc16(said)))


def main(wiring):
    import micropython

    board = Board(wiring)
    micropython.kbd_intr(-1)
    try:
        Door(board).serve()
    finally:
        micropython.kbd_intr(3)
        board.safe()
