"""What stands in for `machine`, `bluetooth`, `time` and `select`, held to MicroPython's documentation by small programs."""

import pytest

from real_micropython import interpreter
from strapline_boards.pico_w import Board
from strapline_simulator.board.process import PWRON_RESET, Processor, ResetError, compile_stand_ins
from strapline_simulator.board.wiring import Wiring


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    interpreter()
    folder = tmp_path_factory.mktemp("compiled") / "stand-ins"
    compile_stand_ins(folder)
    return folder


class Probe:
    """One small program on the virtual board; what it `print`s is `said`."""

    def __init__(self, stand_ins, folder, text):
        (folder / "probe.py").write_text(text)
        self.wiring = Wiring(Board)
        self.circuit = self.wiring.circuit
        self.processor = Processor(
            self.circuit,
            self.wiring.radio,
            stand_ins=stand_ins,
            program=folder,
            root="probe",
            flash=folder,
            heap_size="192k",
            entropy=lambda size: bytes(range(size)),
            cause=PWRON_RESET,
        )
        self.was_reset = False
        try:
            self.processor.run()
        except ResetError:
            self.was_reset = True

    def advance(self, until):
        while not self.processor.ended:
            chip, program = self.circuit.next_deadline(), self.processor.wakes_at
            at = min(until + 1 if when is None else when for when in (chip, program))
            if at > until:
                break
            self.circuit.now = max(self.circuit.now, at)
            self.circuit.run_due()
            if self.circuit.interrupts or self.processor.wakes_at == self.circuit.now:
                self.processor.wake()
        self.circuit.now = max(self.circuit.now, until)

    def interrupt(self):
        self.processor.wake()

    @property
    def said(self):
        self.processor._words.seek(0)
        return self.processor._words.read().decode().splitlines()


@pytest.fixture
def probe(stand_ins, tmp_path):
    made = []

    def make(text):
        made.append(Probe(stand_ins, tmp_path, text))
        return made[-1]

    yield make
    for one in made:
        one.processor.close()


def test_ticks_wrap_and_differences_do_not(probe):
    program = probe(
        "import time\n"
        "start = time.ticks_ms()\n"
        "time.sleep_ms(40000)\n"
        "print(time.ticks_ms() < start, time.ticks_diff(time.ticks_ms(), start), time.ticks_add(start, 40000) == time.ticks_ms())\n"
    )
    program.advance(50_000)
    assert program.said == ["True 40000 True"]


def test_a_light_sleep_ends_with_an_edge_and_a_sleep_does_not(probe):
    program = probe(
        "import machine, time\n"
        "edges = []\n"
        "pin = machine.Pin(15, machine.Pin.IN)\n"
        "pin.irq(lambda p: edges.append(p()), machine.Pin.IRQ_RISING)\n"
        "machine.lightsleep(60000)\n"
        "print(time.ticks_diff(time.ticks_ms(), (1 << 30) - 30000), edges)\n"
        "time.sleep_ms(1000)\n"
        "print(time.ticks_diff(time.ticks_ms(), (1 << 30) - 30000), edges)\n"
    )
    for at, level in ((500, True), (600, False), (700, True)):
        program.advance(at)
        program.wiring.strap_edge(level)
        if program.circuit.interrupts:
            program.interrupt()
    program.advance(5000)
    assert program.said == ["500 [1]", "1500 [1, 1]"]


def test_a_uart_loses_what_finds_no_room(probe):
    program = probe(
        "import machine, time\n"
        "uart = machine.UART(0, 9600, rxbuf=8)\n"
        "print(uart.any(), uart.read(4))\n"
        "time.sleep_ms(100)\n"
        "print(uart.any(), uart.read(5), uart.read())\n"
    )
    program.wiring.gnss.emit(b"0123456789")
    program.interrupt()
    program.advance(200)
    assert program.said == ["0 None", "8 b'01234' b'567'"]


def test_a_poll_ends_with_bytes_or_with_time(probe):
    program = probe(
        "import machine, select, time\n"
        "uart = machine.UART(0, 9600)\n"
        "poller = select.poll()\n"
        "poller.register(uart, select.POLLIN)\n"
        "print(len(poller.poll(100)), time.ticks_diff(time.ticks_ms(), (1 << 30) - 30000))\n"
        "print(len(poller.poll(100000)), time.ticks_diff(time.ticks_ms(), (1 << 30) - 30000))\n"
    )
    program.advance(400)
    program.wiring.gnss.emit(b"$")
    program.interrupt()
    assert program.said == ["0 100", "1 400"]


def test_the_bus_answers_where_chips_are(probe):
    program = probe(
        "import machine\n"
        "i2c = machine.I2C(0)\n"
        "print([hex(a) for a in i2c.scan()])\n"
        "try:\n"
        "    i2c.readfrom_mem(0x77, 0, 1)\n"
        "except OSError as error:\n"
        "    print(error.args[0])\n"
        "print(i2c.readfrom_mem(0x18, 0x0f, 1))\n"
    )
    assert program.said == ["['0x18', '0x36', '0x48', '0x49', '0x53']", "19", "b'3'"]


def test_a_watchdog_bites_whoever_sleeps_too_long(probe):
    program = probe(
        "import machine, time\ndog = machine.WDT(timeout=2000)\ntime.sleep_ms(1500)\ndog.feed()\ntime.sleep_ms(2500)\n"
    )
    program.advance(3000)
    with pytest.raises(ResetError):
        program.advance(5000)


def test_a_reset_is_a_reset(probe):
    program = probe("import machine\nmachine.reset()\nprint('never')\n")
    assert (program.was_reset, program.said) == (True, [])


def test_bluetooth_asks_for_its_activation_and_knows_no_other_address(probe):
    program = probe(
        "import bluetooth\n"
        "ble = bluetooth.BLE()\n"
        "print(ble is bluetooth.BLE(), ble.active())\n"
        "for call in (lambda: ble.gap_advertise(100000, b''), lambda: ble.config('mac')):\n"
        "    try:\n"
        "        call()\n"
        "    except OSError as error:\n"
        "        print(error.args[0])\n"
        "ble.active(True)\n"
        "print(len(ble.config('mac')[1]))\n"
        "for values in ({'mac': b'123456'}, {'nonsense': 1}):\n"
        "    try:\n"
        "        ble.config(**values)\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
        "try:\n"
        "    ble.gap_advertise(100000, bytes(32))\n"
        "except OSError as error:\n"
        "    print(error.args[0])\n"
    )
    assert program.said == [
        "True False", "19", "19", "6", "unknown config param", "unknown config param", "22",
    ]  # fmt: skip


def test_a_random_address_is_set_by_hci_and_only_in_silence(probe):
    program = probe(
        "import bluetooth, time\n"
        "ble = bluetooth.BLE()\n"
        "ble.active(True)\n"
        "ble.config(addr_mode=1)\n"
        "address = bytes((1, 2, 3, 4, 5, 0xC6))\n"
        "ble.gap_advertise(100000, b'')\n"
        "print(ble.hci_cmd(8, 5, address, bytearray(1)))\n"
        "ble.gap_advertise(None)\n"
        "print(ble.hci_cmd(8, 5, address, bytearray(1)), ble.config('mac')[1].hex())\n"
    )
    assert program.said == ["12", "0 c60504030201"]


def test_writes_are_kept_as_their_buffer_is_set(probe):
    program = probe(
        "import bluetooth, time\n"
        "ble = bluetooth.BLE()\n"
        "ble.active(True)\n"
        "ble.config(mtu=247)\n"
        "events = []\n"
        "ble.irq(lambda event, data: events.append(event))\n"
        "U = bluetooth.UUID\n"
        "((to_tag, from_tag),) = ble.gatts_register_services(((U('7b1f0001-5a2e-4c55-9d3c-57524150a1e5'), "
        "((U('7b1f0002-5a2e-4c55-9d3c-57524150a1e5'), 12), (U('7b1f0003-5a2e-4c55-9d3c-57524150a1e5'), 16))),))\n"
        "time.sleep_ms(100)\n"
        "print(events, ble.gatts_read(to_tag))\n"
        "ble.gatts_set_buffer(to_tag, 30, True)\n"
        "time.sleep_ms(100)\n"
        "print(ble.gatts_read(to_tag), ble.gatts_read(to_tag))\n"
        "try:\n"
        "    ble.gatts_notify(0, from_tag, b'gone')\n"
        "except OSError as error:\n"
        "    print(error.args[0], events)\n"
    )
    radio = program.wiring.radio
    radio.connected()
    radio.written(bytes(range(40, 70)))
    program.interrupt()
    program.advance(150)
    radio.written(b"first ")
    radio.written(b"second")
    program.interrupt()
    radio.disconnected()
    program.interrupt()
    program.advance(300)
    assert program.said == [
        f"[1, 21, 3] {bytes(range(40, 60))!r}",  # 20 bytes unless a buffer is set
        "b'first second' b''",  # appended, and gone once it is read
        "19 [1, 21, 3, 3, 3, 2]",
    ]


def test_advertising_goes_on_until_it_is_told_to_stop(probe):
    program = probe(
        "import bluetooth, time\n"
        "ble = bluetooth.BLE()\n"
        "ble.active(True)\n"
        "ble.gap_advertise(100000, b'')\n"
        "time.sleep_ms(1050)\n"
        "ble.gap_advertise(None)\n"
        "time.sleep_ms(5000)\n"
    )
    program.advance(10_000)
    assert program.wiring.radio.events == 11
