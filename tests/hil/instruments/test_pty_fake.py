"""The fake under all fakes: what it does to a cable, that it ends cleanly, that it hides no failure."""

import os
import threading
from pathlib import Path

import pytest
import serial

from strapline_hil.instruments.fakes.pty_fake import PtyFake

pytestmark = pytest.mark.usefixtures("no_leaked_threads")


class Echo(PtyFake):
    own_faults = frozenset({"stuck"})

    def __init__(self, heard=lambda data: None):
        super().__init__()
        self._heard = heard

    def received(self, data):
        self._heard(data)
        self.send(data)


@pytest.fixture
def echo():
    with Echo() as fake:
        yield fake


def asked(port, data=b"hello"):
    with serial.Serial(port, timeout=0.2) as line:
        line.write(data)
        return line.read(len(data))


def test_the_callback_comes_before_the_answer():
    heard = []
    with Echo(heard.append) as fake:
        assert asked(fake.port) == b"hello"
        assert b"".join(heard) == b"hello"


def test_a_gone_port_fails_under_who_has_it_and_comes_back_under_a_new_name(echo):
    old = echo.port
    with serial.Serial(old, timeout=0.2) as line:
        echo.faults.add("gone")
        with pytest.raises(OSError):
            line.read(1)
    assert not Path(old).exists()
    echo.faults.discard("gone")
    assert echo.port != old
    assert asked(echo.port) == b"hello"


def test_no_other_fake_gets_the_name_of_a_gone_port(echo):
    old = echo.port
    echo.faults.add("gone")
    with Echo() as other:
        assert other.port != old


def test_gone_before_it_begins():
    fake = Echo()
    fake.faults.add("gone")
    with fake:
        assert not Path(fake.port).exists()
        fake.faults.clear()
        assert asked(fake.port) == b"hello"


def test_silent_and_garbled_for_so_many_times(echo):
    echo.faults.add("silent", times=1)
    assert asked(echo.port) == b""
    echo.faults.add("garbled", times=1)
    assert asked(echo.port) == bytes(byte | 0x80 for byte in b"hello")
    assert asked(echo.port) == b"hello"
    assert "garbled" not in echo.faults


def test_an_unknown_fault_is_refused(echo):
    with pytest.raises(ValueError, match="stuck"):
        echo.faults.add("stucked")


def test_at_another_speed_nothing_is_understood():
    class At9600(Echo):
        baudrate = 9600

    heard = []
    with At9600(heard.append) as fake:
        with serial.Serial(fake.port, 9600, timeout=0.2) as line:
            line.write(b"a")
            assert line.read(1) == b"a"
        with serial.Serial(fake.port, 115200, timeout=0.2) as line:
            line.write(b"a")
            line.read(1)
    assert heard == [b"a", b"\xe1"]


def test_more_than_a_pty_holds_reaches_who_reads_late(echo):
    data = bytes(range(256)) * 400
    with serial.Serial(echo.port, timeout=2) as line:
        echo.call(lambda: echo.send(data))
        assert line.read(len(data)) == data


def test_what_fails_in_a_callback_is_raised_at_the_end():
    def break_down(_data):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Echo(break_down) as fake:
        assert asked_of_the_dying(fake) == b""


def asked_of_the_dying(fake):
    try:
        return asked(fake.port)
    except OSError:
        return b""


def test_a_descriptor_of_its_own_is_watched(echo):
    near, far = os.pipe()
    came = threading.Event()

    def take():
        os.read(near, 10)
        came.set()

    echo.call(lambda: echo.watch(near, take))
    os.write(far, b"x")
    assert came.wait(5)
    echo.call(lambda: echo.unwatch(near))
    os.close(near)
    os.close(far)


def open_descriptors():
    return sorted(Path("/proc/self/fd").iterdir())


def test_nothing_is_left_open():
    before = open_descriptors()
    for _ in range(3):
        with Echo() as fake:
            assert asked(fake.port) == b"hello"
            fake.faults.add("gone")
    assert open_descriptors() == before
