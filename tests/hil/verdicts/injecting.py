"""Puts one fault into a rig at one moment. Copied to where a test runs as its `conftest.py`; what and when the environment says.

The tests know nothing of it, and neither do drivers, plugin and rules: they meet a cable that is out, a board that hangs.
"""

import os
import signal
import struct
import subprocess
import sys
import time
from random import Random

import pytest

from strapline_hil.plugin.host import Clocks
from strapline_hil.pty_board import PtyBoard
from strapline_hil.rig.virtual import rig as virtual
from strapline_simulator.scenario import Step
from strapline_tag import bench

FAULT = os.environ.get("STRAPLINE_FAULT", "")
MOMENT_S = float(os.environ.get("STRAPLINE_FAULT_AT_S", "0"))
"""Of the tag's time; 0: before anything opens a port."""
RANDOM = Random(os.environ.get("STRAPLINE_FAULT_SEED", "1"))

ON_THE_DESK = {"wrong-board", "board-hung", "flash-worn"}
SLEPT_S = 1800.0
_PORTS = ("relays", "bench", "gnss", "supply")
_THIEF = """
import fcntl, os, sys, termios, time
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.ioctl(port, termios.TIOCEXCL)
print("has it", flush=True)
time.sleep(600)
"""
_READER = """
import os, sys
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
print("has it", flush=True)
while True:
    os.read(port, 4096)
"""

_started = []
_walls = [0.0]


def _other_program(script, port):
    process = subprocess.Popen([sys.executable, "-c", script, port], stdout=subprocess.PIPE)
    _started.append(process)
    assert process.stdout.readline() == b"has it\n"


def pytest_unconfigure():
    for process in _started:
        process.kill()
        process.wait()
        process.stdout.close()


# What is put in, each into the fakes behind the rig's ports.


def _stuck(parts, body):
    parts.fakes["relays"].faults.add("stuck")


def _cable_out(parts, body):
    parts.fakes[RANDOM.choice(_PORTS)].faults.add("gone")


def _hung(parts, body):
    os.kill(parts.fakes["bench"]._process.pid, signal.SIGSTOP)


def _sagging(parts, body):
    parts.fakes["supply"].faults.add("sagging")


def _gnss_silent(parts, body):
    parts.fakes["gnss"].faults.add("silent")


def _noise(parts, body):
    parts.fakes[RANDOM.choice(_PORTS)].faults.add("garbled")


def _taken(parts, body):
    _other_program(_THIEF if body is None else _READER, parts.fakes[RANDOM.choice(_PORTS)].port)


def _swapped(parts, body):
    """Two cables are in each other's place."""
    one, other = RANDOM.sample(("relays", "gnss", "supply"), 2)
    parts.fakes[one], parts.fakes[other] = parts.fakes[other], parts.fakes[one]


def _asleep(parts, body):
    """This machine, base station and all, hears nothing for half an hour, and only the clock on the wall knows."""
    body.sleeps_until_s = MOMENT_S + SLEPT_S


FAULTS = {
    "relay-stuck": _stuck,
    "cable-out": _cable_out,
    "instrument-hung": _hung,
    "supply-sagging": _sagging,
    "gnss-silent": _gnss_silent,
    "noise-on-the-line": _noise,
    "port-taken": _taken,
    "cables-swapped": _swapped,
    "host-asleep": _asleep,
}


class _Parts(virtual.VirtualParts):
    def surroundings(self):
        if MOMENT_S == 0 and FAULT in FAULTS:
            FAULTS[FAULT](self, None)
        return super().surroundings()


def pytest_strapline_open_rig(file, item):
    virtual.VirtualParts = _Parts
    body = virtual.open_virtual(file)
    if MOMENT_S and FAULT in FAULTS:
        _watch_time(body, item)
    return body


def _watch_time(body, item):
    """The rig's time goes on by what the tag is asked."""
    ask = body.request

    def request(message):
        code, now_ms = struct.unpack_from(">BQ", message)
        if code != bench.MEASURE and now_ms >= MOMENT_S * 1000 and not body.is_broken:
            body.is_broken = True
            FAULTS[FAULT](body.rig.virtual, body)
        return ask(message)

    body.is_broken = False
    body.request = request


def pytest_strapline_clocks():
    if FAULT != "host-asleep":
        return None
    return Clocks(time.monotonic, lambda: time.time() + _walls[0])


@pytest.fixture(autouse=True)
def _sleeping_host(request):
    """Only a session can be cut off from the air: its base station is deaf while the machine sleeps."""
    if FAULT != "host-asleep" or "rig_session" not in request.fixturenames:
        yield
        return
    session = request.getfixturevalue("rig_session")
    wait = session._wait_for

    async def wait_for(code, within_s, since_s):
        if session.now_s + within_s >= MOMENT_S and not _walls[0]:
            _walls[0] = SLEPT_S
            await session.script.perform(Step(at="0s", radio_loss=1.0))
        return await wait(code, within_s, since_s)

    session._wait_for = wait_for
    yield


# A bare board on the desk, which the test flashes.

_WEARS = """
import builtins
_open = open
class Worn:
    def __init__(self, file): self._file = file
    def write(self, data): return self._file.write(bytes([data[0] ^ 4]) + bytes(data[1:]) if data else data)
    def close(self): self._file.close()
    def __enter__(self): return self
    def __exit__(self, *_): self._file.close()
builtins.open = lambda name, mode="r", *more: Worn(_open(name, mode, *more)) if "w" in mode else _open(name, mode, *more)
"""
_HANGS = "import micropython\nmicropython.kbd_intr(-1)\nopen('hangs', 'w').close()\nwhile True:\n    pass\n"


def _is_broken(board, folder):
    if FAULT == "flash-worn":
        return board._phase.name == "READY"
    return FAULT != "board-hung" or (folder / "hangs").exists()


class DeskBoard(PtyBoard):
    meant = ""


@pytest.fixture
def desk_board(tmp_path):
    folder = tmp_path / "desk"
    folder.mkdir()
    if FAULT == "flash-worn":
        (folder / "boot.py").write_text(_WEARS)
    if FAULT == "board-hung":
        (folder / "main.py").write_text(_HANGS)
    with DeskBoard(folder) as board:
        while not _is_broken(board, folder):
            time.sleep(0.05)  # a Ctrl-C that comes too early would keep it from breaking
        board.meant = ("00" * 8) if FAULT == "wrong-board" else board.unique_id.hex()
        yield board
