"""The injector over a USB-UART and over a bench board's: every byte arrives, and is heard again where it is looped back."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.bench_wiring import PICO
from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.fakes.gnss import FakeGnssUart
from strapline_hil.instruments.gnss_injector import BoardUart, GnssInjector, UsbUart
from strapline_hil.verdict import RigError
from strapline_simulator.gnss_log import read_gnss_log
from strapline_simulator.world.wearer import Point
from strapline_tag.nmea import NmeaParser

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

MOMENT = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SENTENCE = b"$GPGGA,120000,4807.038,N,01131.000,E,1,08,0.9,,M,,M,,*4E\r\n"


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Rig:
    """An injector, its fake, and what the tag's pin heard."""

    def __init__(self, fake, uart, said):
        self.fake, self.uart, self._said = fake, uart, said

    @property
    def said(self):
        return b"".join(self._said)

    def injector(self, **options):
        return GnssInjector(self.uart, **({"loopback": True} | options))


@pytest.fixture(params=["usb", "bench board"])
def rig(request):
    said = []
    if request.param == "usb":
        with FakeGnssUart(said.append) as fake:
            uart = UsbUart(fake.port)
            yield Rig(fake, uart, said)
            uart.close()
    else:
        with FakeBenchBoard(on_bytes=said.append) as fake:
            board = BenchBoard(fake.port, PICO)
            yield Rig(fake, BoardUart(board), said)
            board.close()


@pytest.mark.parametrize("data", [SENTENCE, SENTENCE * 30, bytes(range(256)) * 3, b"$no end", b"\r\n"])
def test_every_byte_is_at_the_tag_when_it_returns(rig, data):
    rig.injector().send(data)
    assert rig.said == data


def test_a_cut_loop_is_the_rigs(rig):
    rig.fake.faults.add("loop cut")
    injector = rig.injector(slack_s=0.02)
    with pytest.raises(RigError, match="hears nothing of what it sends; join its RX to its TX"):
        injector.send(SENTENCE)
    assert injector.garbled == 4
    assert len(injector.check()) == 1


def test_a_position_is_told_as_a_receiver_tells_it(rig):
    injector = rig.injector()
    injector.send_position(MOMENT, Point(48.137154, 11.576124), speed_m_s=1.0)
    parser = NmeaParser()
    parser.feed(rig.said)
    parser.flush()
    position = parser.take()
    assert (position.lat_e7, position.lon_e7) == (pytest.approx(481371540, abs=10), pytest.approx(115761240, abs=10))
    injector.send_position(MOMENT, None)
    assert rig.said.count(b",V,") == 1


def test_a_check_says_nothing_that_a_tag_would_take_for_a_position(rig):
    assert rig.injector().check() == []
    parser = NmeaParser()
    parser.feed(rig.said)
    parser.flush()
    assert parser.take() is None
    assert rig.said.startswith(b"$GNTXT")


def test_noise_is_counted_and_said_again():
    said = []
    with FakeGnssUart(said.append) as fake:
        uart = UsbUart(fake.port)
        injector = GnssInjector(uart, loopback=True)
        fake.faults.add("garbled", times=1)
        injector.send(SENTENCE)
        assert b"".join(said) == SENTENCE * 2
        assert injector.garbled == 1
        fake.faults.add("garbled")
        with pytest.raises(RigError, match="hears other bytes than it sends"):
            injector.send(SENTENCE)
        injector.close()


def test_a_wrong_speed_spoils_what_the_tag_hears_and_is_told_to_be_nobodys_to_notice():
    said = []
    with FakeGnssUart(said.append, baudrate=38400) as fake:
        uart = UsbUart(fake.port, 9600)
        injector = GnssInjector(uart, loopback=True)
        injector.send(SENTENCE)  # what is looped back is as wrong twice
        assert b"".join(said) != SENTENCE
        assert "baud rate" in injector.blind_spots()[0]
        uart.close()
        said.clear()
        uart = UsbUart(fake.port, 38400)
        GnssInjector(uart, loopback=True, baudrate=38400).send(SENTENCE)
        assert b"".join(said) == SENTENCE
        uart.close()


def test_without_loop_back_it_is_told_what_nobody_hears():
    said = []
    with FakeGnssUart(said.append, loopback=False) as fake:
        uart = UsbUart(fake.port)
        injector = GnssInjector(uart)
        injector.send(SENTENCE)
        assert len(injector.blind_spots()) == 1
        injector.close()
        injector.close()
        with pytest.raises(RigError):
            injector.send(SENTENCE)


def test_a_port_that_goes_is_the_rigs(rig):
    injector = rig.injector()
    rig.fake.faults.add("gone")
    with pytest.raises(RigError):
        injector.send(SENTENCE)
    assert len(injector.check()) == 1


def test_a_real_log_arrives_as_it_was_recorded_at_its_own_pace(rig):
    folder = os.environ.get("STRAPLINE_DATA")
    if not folder:
        pytest.skip("STRAPLINE_DATA names no folder with recordings")
    log = Path(folder, "gnss", "bt451.log")
    time = Time()
    epochs = read_gnss_log(log)
    assert rig.injector(clock=time, sleep=time.sleep).play_log(log, rate=10.0) == len(epochs) > 1
    assert rig.said == log.read_bytes()
    assert time.now == pytest.approx(epochs[-1].offset_s / 10)
