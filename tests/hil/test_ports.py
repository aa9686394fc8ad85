"""Ports of instruments: what is wrong is said in one line, and put down to the rig or to what is around it."""

import errno
import fcntl
import os
import pty
import socket
import subprocess
import sys
import termios
import threading

import pytest
import serial
from serial.rfc2217 import PortManager
from serial.tools.list_ports_common import ListPortInfo

from strapline_hil import boards
from strapline_hil.ports import holders, open_port
from strapline_hil.verdict import RigError, SurroundingsError


@pytest.fixture
def cable():
    """Near end, and the name of the port."""
    near, far = pty.openpty()
    yield near, os.ttyname(far)
    for descriptor in (near, far):
        os.close(descriptor)


def test_bytes_both_ways(cable):
    near, name = cable
    with open_port(name) as port:
        port.write(b"to")
        port.drain()
        assert os.read(near, 10) == b"to"
        os.write(near, b"from\nrest")
        assert port.read(5) == b"from\n"
        assert port.read_until(lambda data: b"e" in data)[:2] == b"re"
        assert port.read_waiting(0.01) == b""
        assert port.read_until(lambda data: b"x" in data, 0.01) == b""
        os.write(near, b"old")
        assert port.read(1) == b"o"
        port.forget()
        assert port.read(1, 0.01) == b""
        os.write(near, b"still comes")
        port.settle()
        assert port.read(1, 0.01) == b""


def test_a_loop_and_a_socket_are_ports_too():
    with open_port("loop://") as port:
        port.write(b"x")
        assert port.read(1) == b"x"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        open_port(f"socket://127.0.0.1:{server.getsockname()[1]}") as port,
        server.accept()[0] as far,
    ):
        port.write(b"x")
        port.drain()
        assert far.recv(1) == b"x"
        far.close()
        with pytest.raises(RigError, match="has gone"):
            port.read(1)


class NetworkPort:
    """A server of RFC 2217 in front of a line that gives back what it gets."""

    def __init__(self):
        self._line = serial.serial_for_url("loop://")
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def write(self, data):
        """What the manager says by itself."""
        self._far.sendall(data)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()
        self._server.close()
        self._line.close()

    def _serve(self):
        self._far, _ = self._server.accept()
        with self._far:
            manager = PortManager(self._line, self)
            while data := self._far.recv(1024):
                self._line.write(b"".join(manager.filter(data)))
                self._far.sendall(b"".join(manager.escape(self._line.read(self._line.in_waiting))))


@pytest.mark.filterwarnings("ignore:set.* is deprecated:DeprecationWarning")  # pyserial's own
def test_a_port_on_the_network_with_its_speed():
    with NetworkPort() as server, open_port(server.url, baudrate=9600, timeout_s=5) as port:
        port.write(b"\xa0\xff\x00")
        port.drain()
        assert port.read(3) == b"\xa0\xff\x00"


def test_a_usb_board_with_several_ports_is_asked_which(cable, monkeypatch):
    made = [ListPortInfo(f"{cable[1]}{name}") for name in ("a", "b")]
    for number, port in enumerate(made):
        port.vid, port.pid, port.serial_number, port.location = 0x1915, 0xC00A, "D7C1E6A4", f"1-2:1.{number}"
    monkeypatch.setattr(boards, "comports", lambda: made)
    with pytest.raises(RigError, match="power meter: this board has several ports; name one: /dev/pts"):
        open_port("D7C1E6A4", place="power meter")


def test_nobody_at_the_other_end_of_a_socket():
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
    with pytest.raises(RigError, match=f"nobody answers there; start the server of 127.0.0.1:{number}"):
        open_port(f"socket://127.0.0.1:{number}")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/dev/no-such-port", "no such port"),
        ("E66141", "no such port"),
        ("nonsense://x", "no URL that pyserial knows"),
        ("/", "no serial port"),
        ("", "names no port"),
    ],
)
def test_what_is_no_port_is_the_rigs_failure(url, words):
    with pytest.raises(RigError, match=words) as failed:
        open_port(url)
    assert "\n" not in str(failed.value)


def test_a_file_is_no_port(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RigError, match="no serial port"):
        open_port(str(file))


def test_a_port_by_its_usb_serial_number(cable, monkeypatch):
    made = ListPortInfo(cable[1])
    made.vid, made.pid, made.serial_number, made.location = 0x1A86, 0x7523, "A50285BI", "1-2:1.0"
    monkeypatch.setattr(boards, "comports", lambda: [made])
    with open_port("A50285BI", place="relay board") as port:
        assert port.line.port == cable[1]
        assert port.place == "relay board"


def test_who_else_has_it_is_named(cable):
    take = "import serial, sys; line = serial.Serial(sys.argv[1], exclusive=True); print('taken', flush=True); sys.stdin.read()"
    other = subprocess.Popen([sys.executable, "-c", take, cable[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"taken\n"
        with pytest.raises(SurroundingsError, match=rf"python\S* \({other.pid}\) has this port; end python"):
            open_port(cable[1])
    finally:
        other.communicate()
    assert holders(cable[1]) == ""
    open_port(cable[1]).close()


def test_who_takes_our_answers_is_around_the_rig(cable):
    listen = "import os, sys; os.open(sys.argv[1], os.O_RDWR); print('listens', flush=True); sys.stdin.read()"
    with open_port(cable[1]) as port:
        assert isinstance(port.no_sense("no answer", "mend"), RigError)
        if os.geteuid():  # kept out by our lock
            return
        other = subprocess.Popen(
            [sys.executable, "-c", listen, cable[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert other.stdout.readline() == b"listens\n"
            found = port.no_sense("no answer", "mend")
        finally:
            other.communicate()
    assert isinstance(found, SurroundingsError)
    assert f"({other.pid}) reads from this port too" in str(found)


def test_others_may_have_it_after_us(cable):
    port = open_port(cable[1])
    with pytest.raises(serial.SerialException):
        serial.Serial(cable[1], exclusive=True)
    port.close()
    port.close()
    serial.Serial(cable[1], exclusive=True).close()


def test_what_another_has_for_itself_is_not_ours_even_as_root(cable):
    descriptor = os.open(cable[1], os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(descriptor, termios.TIOCEXCL)
    try:
        with pytest.raises(SurroundingsError, match="another program has this port"):
            open_port(cable[1])
    finally:
        os.close(descriptor)


def test_on_the_ttys_own_lock_we_let_go_again(cable):
    with open_port(cable[1]):
        assert is_exclusive(cable[1])
    assert not is_exclusive(cable[1])


def is_exclusive(name):
    descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY)
    try:
        answer = fcntl.ioctl(descriptor, 0x80045440, b"\0\0\0\0")  # TIOCGEXCL
        return answer != b"\0\0\0\0"
    finally:
        os.close(descriptor)


def test_no_permission_is_not_the_rigs_failure(cable, monkeypatch):
    def refuse(*_args, **_options):
        raise serial.SerialException(errno.EACCES, "Permission denied")

    monkeypatch.setattr("strapline_hil.ports.serial_for_url", refuse)  # root is refused nothing
    with pytest.raises(SurroundingsError, match=r"no permission; .*dialout"):
        open_port(cable[1])


def test_a_port_that_takes_no_more(cable):
    with open_port(cable[1], timeout_s=0.05) as port:
        with pytest.raises(RigError, match="takes no more bytes"):
            port.write(bytes(1_000_000))
        port.line.reset_output_buffer()
        termios.tcflush(cable[0], termios.TCIOFLUSH)


def test_closed_is_said(cable):
    port = open_port(cable[1])
    port.close()
    with pytest.raises(RigError, match="the port is closed"):
        port.write(b"x")


def test_nobody_has_what_is_not_there():
    assert holders("/dev/no-such-port") == ""
