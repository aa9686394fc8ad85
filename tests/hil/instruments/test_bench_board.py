"""The bench board's driver against its real program, on real MicroPython behind a pty."""

import math
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serial import Serial

from strapline_hil.instruments import bench_board as module
from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.bench_line import REPEATS, frame, unframe
from strapline_hil.instruments.bench_wiring import (
    PICO,
    BenchWiring,
    HeaterWiring,
    I2cBus,
    Max30205At,
    RelayPin,
    Sense,
)
from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.fakes.pty_fake import PtyFake
from strapline_hil.repl_board import repl_board
from strapline_hil.verdict import RigError, SurroundingsError
from strapline_protocol.errors import UserError

pytestmark = pytest.mark.usefixtures("no_leaked_threads")

WIRING = PICO._replace(relays=dict(PICO.relays) | {8: RelayPin(9, active_low=True)})


class World:
    """What the fake's outputs did."""

    def __init__(self):
        self.said = []
        self.strap_ohm = 1000
        self.slept = []

    def note(self, what):
        return lambda *values: self.said.append((what, *values))


@pytest.fixture
def world():
    return World()


@pytest.fixture
def fake(world):
    with FakeBenchBoard(
        WIRING,
        on_relay=world.note("relay"),
        on_motor=world.note("motor"),
        ohm={"strap": lambda: world.strap_ohm},
        pass_time=world.slept.append,
    ) as made:
        yield made


@pytest.fixture
def board(fake):
    made = BenchBoard(fake.port, WIRING, answer_limit_s=0.25)
    yield made
    made.close()


def test_a_relay_has_moved_when_the_command_returns(board, world):
    board.set(1, True)
    assert world.said == [("relay", 1, True)]
    board.set(8, True)
    assert world.said[1:] == [("relay", 8, True)]
    assert board.states() == {channel: channel in {1, 8} for channel in range(1, 9)}
    board.set(1, False)
    assert world.said[2:] == [("relay", 1, False)]


def test_a_channel_that_switches_at_a_low_level_is_off_from_the_beginning(board, fake, world):
    assert not board.states()[8]
    assert fake._levels[9] == 1
    assert world.said == []


def test_a_pulse_is_timed_by_the_board(board, world):
    assert board.pulse(2, 50) >= 0
    assert world.said == [("relay", 2, True), ("relay", 2, False)]
    assert world.slept == [0.05]


@pytest.mark.parametrize("duration_ms", [0, -1, 5001])
def test_a_pulse_that_the_board_would_sleep_through_is_the_callers_mistake(board, duration_ms):
    with pytest.raises(ValueError, match="1 to 5000"):
        board.pulse(1, duration_ms)


def test_what_noise_spoils_is_asked_again_and_done_once(board, fake, world):
    fake.faults.add("garbled", times=2)
    board.pulse(3, 20)
    assert world.said == [("relay", 3, True), ("relay", 3, False)]
    assert board.garbled >= 1


def test_a_request_that_noise_spoils_is_asked_again(board, fake, world, monkeypatch):
    write, spoilt = board._line._serial.write, []

    def spoil_one(data):
        if not spoilt:
            spoilt.append(data)
            data = data.replace(b"set 4 1", b"set 4 0")
        return write(data)

    monkeypatch.setattr(board._line._serial, "write", spoil_one)
    board.set(4, True)
    assert spoilt
    assert world.said == [("relay", 4, True)]
    assert board.garbled >= 1


def test_noise_without_end_is_the_rigs(board, fake):
    fake.faults.add("garbled")
    with pytest.raises(RigError, match="garbled answers, several in a row; look at the cable"):
        board.states()
    assert board.garbled >= 1 + REPEATS
    fake.faults.clear()
    assert board.states()[1] is False


def test_a_relay_that_sticks_is_the_rigs(board, fake):
    fake.faults.add("stuck")
    with pytest.raises(RigError, match="relay 1 was switched on and its pin is off"):
        board.set(1, True)
    with pytest.raises(RigError, match="relay 2 did not follow a pulse"):
        board.pulse(2, 5)


def test_a_board_that_is_silent_is_the_rigs(board, fake):
    fake.faults.add("silent")
    with pytest.raises(RigError, match="no answer"):
        board.set(1, True)
    assert len(board.check()) == 1


def test_a_board_without_power_has_safe_outputs_and_must_be_begun_again(board, fake, world):
    board.set(1, True)
    fake.faults.add("gone")
    with pytest.raises(RigError, match=r"the bench board has gone; plug it in again"):
        board.set(2, True)
    assert world.said == [("relay", 1, True), ("relay", 1, False)]
    fake.faults.discard("gone")
    board.close()
    again = BenchBoard(fake.port, WIRING)
    assert not any(again.states().values())
    again.close()


def test_a_program_that_has_ended_is_told(board):
    board._line._serial.write(b"\r\x03")
    for _ in range(2):
        with pytest.raises(RigError, match=r"program has ended \(it said nothing\)"):
            board.states()


def test_a_program_that_fails_is_told_with_its_last_words(fake, monkeypatch):
    monkeypatch.setattr(module, "_program", lambda: "def main(wiring):\n raise ValueError('bad SCL pin')")
    with pytest.raises(RigError, match=r"program has ended \(ValueError: bad SCL pin\); .* mend its wiring"):
        BenchBoard(fake.port, WIRING)
    with repl_board(fake.port) as repl:
        assert repl.tell("print(40 + 2)") == 42


def test_a_resistance_is_read_through_the_divider(board, world):
    for ohm in (180, 1000, 2500, 47_000):
        world.strap_ohm = ohm
        assert board.ohm("strap") == pytest.approx(ohm, rel=0.01)
    world.strap_ohm = None
    assert board.ohm("strap") == math.inf


def test_what_the_wiring_does_not_have_is_refused_by_name(board):
    with pytest.raises(RigError, match=r"refuses `set 9 1` \(the board's wiring has no 9\)"):
        board.set(9, True)
    with pytest.raises(RigError, match="the board's wiring has no cellar"):
        board.ratio("cellar")


def test_it_ends_safe_and_at_its_prompt(board, fake, world):
    board.set(1, True)
    board.motor(on=True)
    board.close()
    board.close()
    assert ("relay", 1, False) in world.said
    assert ("motor", False) in world.said
    with repl_board(fake.port) as repl:
        assert repl.tell("print(40 + 2)") == 42


def test_a_host_that_is_silent_for_too_long_finds_the_outputs_safe(fake, world, monkeypatch):
    fell = threading.Event()
    monkeypatch.setattr(fake, "_on_relay", lambda _channel, on: None if on else fell.set())
    board = BenchBoard(fake.port, WIRING, watchdog_s=0.05)
    board.set(1, True)
    assert fell.wait(10)
    with pytest.raises(SurroundingsError, match=r"silent for 0.05 s.* fell back to safe; keep the host awake"):
        board.set(2, True)
    assert not any(board.states().values())  # what was asked for meanwhile was not done
    board.close()


@pytest.mark.parametrize("left", [b"", b"\n7 set 1", b"\n7 more 0 00112233"])
def test_a_host_that_was_killed_leaves_a_board_that_the_next_one_takes(fake, left):
    board = BenchBoard(fake.port, WIRING)
    board.set(1, True)
    board._line._serial.write(left)
    board._line._serial.close()
    again = BenchBoard(fake.port, WIRING)
    assert not any(again.states().values())
    again.close()
    board.close()


def test_a_port_that_another_program_has_is_the_environments(fake):
    holds = (
        "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); print('has it', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, fake.port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(SurroundingsError, match=r"has this port"):
            BenchBoard(fake.port, WIRING)
        other.communicate(b"\n")
    BenchBoard(fake.port, WIRING).close()


def test_a_port_that_is_not_there_is_the_rigs():
    with pytest.raises(RigError, match="no such port"):
        BenchBoard("/dev/pts/does-not-exist", WIRING)


def test_what_is_no_micropython_is_the_rigs(monkeypatch):
    class Stranger(PtyFake):
        def received(self, data):
            self.send(b"login: ")

    monkeypatch.setattr("strapline_hil.repl_board.PATIENCE_S", 0.3)
    with Stranger() as stranger, pytest.raises(RigError, match="not MicroPython") as refused:
        BenchBoard(stranger.port, WIRING)
    assert "\n" not in str(refused.value)


def test_a_well_board_has_nothing_to_tell(board):
    assert board.check() == []
    assert board.identity.startswith("MicroPython on linux, id ")


def test_a_soft_reset_empties_the_fakes_memory(fake):
    with repl_board(fake.port) as repl:
        repl.tell("kept = 1\nprint(kept)")
        repl.soft_reset()
        assert repl.tell("print('kept' in globals())") is False
    BenchBoard(fake.port, WIRING).close()


def test_nothing_is_left_on_the_boards_flash(board, fake):
    names = {"machine.py", "silicon.py", "time.py", "strapline_shaker.py"}
    assert {path.name for path in fake._folder.iterdir()} == names


def test_a_fake_leaves_no_process_and_no_folder(world):
    with FakeBenchBoard(WIRING) as fake:
        process, folder = fake._process, fake._folder
        before = set(Path("/proc/self/fd").iterdir())
    assert process.returncode is not None
    assert not folder.exists()
    assert set(Path("/proc/self/fd").iterdir()) < before


@pytest.mark.parametrize(
    ("wiring", "what"),
    [
        (BenchWiring(relays={1: RelayPin(5)}, senses={"strap": Sense(5)}), "pin 5 is given twice"),
        (BenchWiring(heaters={"skin": HeaterWiring(1, Max30205At(0x48))}), "heater skin has its sensor on I2C"),
        (BenchWiring(shaker=(1, 2)), "three pins"),
        (BenchWiring(i2c=I2cBus(0, 1, 2), motor=2), "pin 2 is given twice"),
    ],
)
def test_a_wiring_that_cannot_be_is_refused_in_one_line(wiring, what):
    with pytest.raises(UserError, match=what):
        BenchBoard("", wiring)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_line_comes_back_as_it_was(content):
    assert unframe(frame(content)) == content


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)), st.integers(0), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(content, at, bit):
    line = bytearray(frame(content).strip(b"\n"))
    line[at % len(line)] ^= 1 << bit
    assert unframe(bytes(line)) != content


WORDS = [
    "hello",
    "set",
    "states",
    "read",
    "warm",
    "temp",
    "room",
    "shake",
    "more",
    "play",
    "still",
    "left",
    "motor",
    "uart",
    "heard",
    "safe",
    "nonsense",
]
ARGUMENTS = st.one_of(
    st.integers(-3, 40).map(str),
    st.just("9" * 30),
    st.sampled_from(["strap", "skin", "off", "00ff", ""]),
    st.text("xyz_"),
)


def test_whatever_is_asked_the_next_request_is_served(fake):
    board = BenchBoard(fake.port, WIRING)
    line: Serial = board._line._serial
    numbers = count(1_000_000)

    @given(st.lists(st.tuples(st.sampled_from(WORDS), st.lists(ARGUMENTS, max_size=3)), max_size=5))
    def serves(requests):
        for word, arguments in requests:
            line.write(frame(" ".join([str(next(numbers)), word, *arguments])))
        line.write(frame(str(next(numbers))))
        board._ask("safe")
        assert not any(board.states().values())

    serves()
    board.close()


def test_any_noise_is_survived(fake):
    board = BenchBoard(fake.port, WIRING)
    line: Serial = board._line._serial

    @given(st.binary(max_size=200).map(lambda noise: noise.replace(b"\x03", b"")))
    def survives(noise):
        line.write(noise)
        assert not any(board.states().values())

    survives()
    board.close()
