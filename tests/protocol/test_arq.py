"""The link that repeats: whatever a line does to bytes, frames arrive once and in order, or the link says that it has failed."""

from collections import deque
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from real_micropython import run_on_micropython
from strapline_wire import arq, link
from strapline_wire.arq import QUEUE_LIMIT, WINDOW, ReliableLink
from strapline_wire.errors import LocalProtocolError

RETRY_MS = 1000
LOG = b"I (372) boot: hello\r\n"


def header(line):
    """(generation, generation acknowledged, sequence, next expected, frame) of a line."""
    content = link.decode(line[1:-1])
    return content[0], content[1], content[2] >> 4, content[2] & 15, content[3:]


def made_line(sender, named, sequence, expected, frame=b""):
    return link.encode(bytes([sender, named, sequence << 4 | expected]) + frame)


def numbered(first, count):
    return [b"frame %d" % number for number in range(first, first + count)]


def carry(sender, receiver, now=0):
    """Everything across until both are quiet; what arrived at the receiver."""
    arrived = []
    while lines := sender.data_to_send(now):
        for line in lines:
            arrived += receiver.receive_data(line, now)
        for line in receiver.data_to_send(now):
            assert sender.receive_data(line, now) == []
    return arrived


# Over lines that do their worst.


class FakeLine:
    """One direction: what is put in comes out later, or otherwise, or not at all."""

    def __init__(self, seed):
        self._random = Random(seed)
        self._under_way = []

    def put(self, line, now):
        for portion, delay_ms in self.treat(line):
            self._under_way.append((now + delay_ms, len(self._under_way), portion))

    def treat(self, line):
        """(bytes, delay in ms) of what comes out."""
        return [(line, 20)]

    def take(self, now):
        due = sorted(entry for entry in self._under_way if entry[0] <= now)
        self._under_way = [entry for entry in self._under_way if entry[0] > now]
        return [portion for _, _, portion in due]


class ByteByByte(FakeLine):
    def treat(self, line):
        return [(bytes([byte]), 20) for byte in line]


class Lossy(FakeLine):
    def treat(self, line):
        return [] if self._random.random() < 0.2 else [(line, 20)]


class Doubling(FakeLine):
    def treat(self, line):
        return [(line, 20)] * self._random.choice([1, 1, 2, 3])


class Reordering(FakeLine):
    """A line may be overtaken by what is sent in the same moment; never by what is sent 300 ms later."""

    def treat(self, line):
        return [(line, self._random.choice([20, 50, 90]))]

    def put(self, line, now):
        super().put(line, now)
        self._under_way = [(at, self._random.random(), portion) for at, _, portion in self._under_way]


class Flipping(FakeLine):
    def treat(self, line):
        spoilt = bytearray(line)
        if self._random.random() < 0.2:
            spoilt[self._random.randrange(len(spoilt))] ^= 1 << self._random.randrange(8)
        return [(bytes(spoilt), 20)]


class Slow(FakeLine):
    """Longer than the time to repeat: everything is sent again while it is under way."""

    def treat(self, line):
        return [(line, 1700)]


class Talkative(FakeLine):
    """The board's log stands between the frames, and sometimes in the middle of one."""

    def treat(self, line):
        at = self._random.randrange(len(line)) if self._random.random() < 0.2 else 0
        return [(line[:at] + LOG + line[at:], 20)]


class Wretched(Lossy):
    def treat(self, line):
        kept = super().treat(LOG + line)
        return [spoilt for portion, _ in kept for spoilt in Doubling.treat(self, Flipping.treat(self, portion)[0][0])]


class Pair:
    """Two links and a line each way, on a clock that jumps from deadline to deadline in steps of 10 ms."""

    def __init__(self, kind, seed=1):
        self.ends = [ReliableLink(17, RETRY_MS, 50), ReliableLink(99, RETRY_MS, 50)]
        self.lines = [kind(seed), kind(seed + 1)]
        self.arrived = [[], []]
        self.now = 0

    def step(self):
        self.now += 10
        for at in (0, 1):
            for portion in self.lines[1 - at].take(self.now):
                self.arrived[at] += self.ends[at].receive_data(portion, self.now)
            self.ends[at].handle_timer(self.now)
            for line in self.ends[at].data_to_send(self.now):
                self.lines[at].put(line, self.now)

    def deliver(self, sent):
        waiting = [deque(frames) for frames in sent]
        while waiting[0] or waiting[1] or not (self.ends[0].idle and self.ends[1].idle):
            for end, frames in zip(self.ends, waiting, strict=True):
                while frames and end.room():
                    end.send(frames.popleft())
            self.step()
            assert self.now < 3_600_000, "it never arrives"
            assert not any(end.failed for end in self.ends)


@pytest.mark.parametrize(
    "kind", [FakeLine, ByteByByte, Lossy, Doubling, Reordering, Flipping, Slow, Talkative, Wretched]
)
def test_everything_arrives_once_and_in_order(kind):
    draw = Random(5)
    sent = [[draw.randbytes(draw.choice([1, 3, 50, 254, 544])) for _ in range(120)] for _ in range(2)]
    pair = Pair(kind)
    pair.deliver(sent)
    assert pair.arrived == [sent[1], sent[0]]
    retransmitted = sum(end.retransmitted for end in pair.ends)
    if kind in (FakeLine, ByteByByte, Doubling):
        assert retransmitted == 0
    else:
        assert retransmitted > 0 or kind is Reordering
    if kind in (Doubling, Slow):
        assert all(end.duplicates > 10 for end in pair.ends)
    if kind is Reordering:
        assert all(end.out_of_order > 10 for end in pair.ends)
    if kind is Flipping:
        assert all(end.broken > 5 for end in pair.ends)
    if kind is Talkative:
        assert all(LOG.strip() in end.text for end in pair.ends)


def test_one_direction_alone_works_as_well():
    pair = Pair(Lossy)
    sent = numbered(0, 100)
    pair.deliver([sent, []])
    assert pair.arrived == [[], sent]


# Numbers, windows and timers, to the letter.


def test_a_line_says_who_sends_whom_it_heard_which_frame_and_which_it_wants():
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    one.send(b"a")
    one.send(b"b")
    first, second = one.data_to_send(0)
    assert header(first) == (7, 0, 0, 0, b"a")
    assert header(second) == (7, 0, 1, 0, b"b")
    assert two.receive_data(first + second, 0) == [b"a", b"b"]
    two.send(b"c")
    (answer,) = two.data_to_send(0)
    assert header(answer) == (9, 7, 0, 2, b"c")
    assert one.receive_data(answer, 0) == [b"c"]
    (bare,) = one.data_to_send(0)
    assert header(bare) == (7, 9, 2, 1, b"")
    assert two.receive_data(bare, 0) == []
    assert one.data_to_send(0) == two.data_to_send(0) == []
    assert one.idle
    assert two.idle


def test_however_much_has_come_one_acknowledgement_is_enough():
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    for frame in numbered(0, 5):
        one.send(frame)
    two.receive_data(b"".join(one.data_to_send(0)), 0)
    (bare,) = two.data_to_send(0)
    assert header(bare)[3] == 5


def test_no_more_than_the_window_is_on_its_way_and_no_more_than_the_queue_is_held():
    one = ReliableLink(7, RETRY_MS)
    for left, frame in zip(range(QUEUE_LIMIT, 0, -1), numbered(0, QUEUE_LIMIT), strict=True):
        assert one.room() == left
        one.send(frame)
    assert one.room() == 0
    with pytest.raises(LocalProtocolError):
        one.send(b"one too many")
    assert [header(line)[4] for line in one.data_to_send(0)] == numbered(0, WINDOW)
    assert one.data_to_send(0) == []
    one.receive_data(made_line(9, 7, 0, 3), 0)
    assert one.room() == 3
    assert [header(line)[2:5:2] for line in one.data_to_send(0)] == [
        (8 + n, frame) for n, frame in enumerate(numbered(WINDOW, 3))
    ]


@pytest.mark.parametrize("frame", [b"", bytes(link.FRAME_LIMIT + 1)])
def test_what_is_no_frame_is_refused_at_the_sender(frame):
    with pytest.raises(LocalProtocolError):
        ReliableLink(7, RETRY_MS).send(frame)


@pytest.mark.parametrize("generation", [0, 256, -1])
def test_a_generation_is_a_byte_and_never_zero(generation):
    with pytest.raises(LocalProtocolError):
        ReliableLink(generation, RETRY_MS)


def test_generations_are_drawn_from_all_there_are():
    assert {arq.draw_generation(lambda size, byte=byte: bytes([byte]) * size) for byte in range(256)} == set(
        range(1, 256)
    )


def test_the_largest_frame_fits_whatever_its_bytes():
    for byte in (0, 1, 255):
        one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
        one.send(bytes([byte]) * link.FRAME_LIMIT)
        assert carry(one, two) == [bytes([byte]) * link.FRAME_LIMIT]


@pytest.mark.parametrize("portion", [1, 3, 7, 8, 16])
def test_the_four_bit_numbers_wrap(portion):
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    sent = numbered(0, 200)
    arrived = []
    for start in range(0, len(sent), portion):
        for frame in sent[start : start + portion]:
            one.send(frame)
        arrived += carry(one, two)
    assert arrived == sent
    assert (one.retransmitted, two.duplicates, two.out_of_order) == (0, 0, 0)


def until_failed(one):
    """When it sends, and when it fails."""
    times, now = [], 0
    while not one.failed:
        if one.data_to_send(now):
            times.append(now)
        now = one.next_deadline()
        one.handle_timer(now - 1)
        assert one.data_to_send(now - 1) == []
        one.handle_timer(now)
    return times, now


def test_without_an_answer_it_repeats_ever_more_patiently_and_then_it_has_failed():
    one = ReliableLink(7, RETRY_MS, 6)
    one.send(b"a")
    times, failed_at = until_failed(one)
    assert [later - sooner for sooner, later in pairwise([*times, failed_at])] == [
        1000,
        2000,
        4000,
        8000,
        8000,
        8000,
        8000,
    ]
    assert one.retransmitted == 6
    assert one.next_deadline() is None
    assert one.room() == 0
    assert one.data_to_send(failed_at) == []
    with pytest.raises(LocalProtocolError):
        one.send(b"b")


def test_the_whole_window_is_repeated_from_the_first_that_is_missing():
    one = ReliableLink(7, RETRY_MS)
    for frame in numbered(0, 10):
        one.send(frame)
    one.data_to_send(0)
    one.receive_data(made_line(9, 7, 0, 2), 500)
    assert [header(line)[4] for line in one.data_to_send(500)] == numbered(8, 2)
    one.handle_timer(1499)
    assert one.data_to_send(1499) == []
    one.handle_timer(1500)
    assert [header(line)[4] for line in one.data_to_send(1500)] == numbered(2, 8)
    assert one.retransmitted == 8


def test_progress_makes_it_patient_anew():
    one = ReliableLink(7, RETRY_MS, 2)
    for frame in numbered(0, 8):
        one.send(frame)
    now = 0
    for acknowledged in range(1, 8):
        for _ in range(2):
            one.data_to_send(now)
            now = one.next_deadline()
            one.handle_timer(now)
        one.data_to_send(now)
        one.receive_data(made_line(9, 7, 0, acknowledged), now)
        assert one.next_deadline() == now + RETRY_MS
    assert not one.failed


def test_nothing_is_due_while_nothing_is_on_its_way():
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    assert one.next_deadline() is None
    one.send(b"a")
    carry(one, two)
    assert one.next_deadline() is two.next_deadline() is None


def test_the_clock_may_stand_anywhere():
    one = ReliableLink(7, RETRY_MS)
    one.send(b"a")
    one.data_to_send(2**40)
    assert one.next_deadline() == 2**40 + RETRY_MS


def test_a_lost_acknowledgement_costs_a_repetition_and_nothing_else():
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    one.send(b"a")
    assert two.receive_data(one.data_to_send(0)[0], 0) == [b"a"]
    two.data_to_send(0)  # lost
    one.handle_timer(1000)
    assert carry(one, two, 1000) == []
    assert one.idle
    assert two.duplicates == 1


# An end that starts again.


def test_a_peer_that_starts_again_is_answered_from_the_beginning():
    tag, gateway = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    for end, other, frames in ((tag, gateway, numbered(0, 3)), (gateway, tag, numbered(0, 5))):
        for frame in frames:
            end.send(frame)
        assert carry(end, other) == frames
    gateway.send(b"for the life before")
    gateway.data_to_send(0)
    tag = ReliableLink(8, RETRY_MS)
    tag.send(b"hello again")
    assert carry(tag, gateway) == [b"hello again"]
    gateway.send(b"welcome again")
    assert carry(gateway, tag) == [b"welcome again"]
    assert gateway.idle


def test_a_peer_that_had_only_acknowledged_and_starts_again_is_answered_from_the_beginning():
    tag, gateway = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    for frame in numbered(0, 3):
        gateway.send(frame)
    carry(gateway, tag)
    tag = ReliableLink(8, RETRY_MS)
    tag.send(b"hello")
    assert carry(tag, gateway) == [b"hello"]
    gateway.send(b"welcome")
    assert carry(gateway, tag) == [b"welcome"]


def test_what_was_for_the_life_before_and_comes_late_hides_nothing_that_is_for_this_one():
    tag, gateway = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    gateway.send(b"for the life before")
    (late,) = gateway.data_to_send(0)
    tag.send(b"hello")
    assert carry(tag, gateway) == [b"hello"]
    tag = ReliableLink(8, RETRY_MS)
    tag.send(b"hello again")
    (hello,) = tag.data_to_send(0)
    tag.receive_data(late, 0)
    assert gateway.receive_data(hello, 0) == [b"hello again"]
    gateway.send(b"welcome again")
    (answer,) = gateway.data_to_send(0)
    assert header(answer) == (10, 8, 0, 1, b"welcome again")
    assert tag.receive_data(answer, 0) == [b"welcome again"]


@pytest.mark.parametrize(("generation", "following"), [(254, 255), (255, 1)])
def test_the_generation_after_the_last_is_the_first(generation, following):
    gateway = ReliableLink(generation, RETRY_MS)
    for sender in (7, 8):
        gateway.receive_data(made_line(sender, 0, 0, 0, b"hello"), 0)
    gateway.send(b"a")
    assert header(gateway.data_to_send(0)[0])[0] == following


def test_a_peer_that_starts_again_without_a_word_makes_the_link_fail_instead_of_losing_frames():
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    for first in (0, 8):
        for frame in numbered(first, 8 if first == 0 else 5):
            one.send(frame)
        carry(one, two)
    two = ReliableLink(10, RETRY_MS)
    for frame in numbered(13, 8):  # sequences 13, 14, 15, 0, 1 …: one of them looks like a beginning
        one.send(frame)
    now = 0
    while not one.failed:
        for line in one.data_to_send(now):
            two.receive_data(line, now)
        for line in two.data_to_send(now):
            one.receive_data(line, now)
        assert not one.idle
        now = one.next_deadline()
        one.handle_timer(now)


class Restarting(RuleBasedStateMachine):
    """Two ends, a line each way that keeps the order, loses and delays; either end may start again under a new generation.

    What one life of an end takes from one life of the other is a run of what was sent, in order and each once. Where both know each
    other, nothing is missing unless the sender says that it has failed.
    """

    @initialize()
    def start(self):
        self.now = 0
        self.drawn = 0
        self.ends = [None, None]
        self.lines = [deque(), deque()]
        self.said = {}  # (end, life) -> frames
        self.taken = {}  # (end, life, life of the other that sent them) -> numbers
        self.owed = [[], []]
        self.lives = [0, 0]
        for at in (0, 1):
            self._begin(at)

    def _begin(self, at):
        self.drawn += 1
        self.lives[at] += 1
        self.ends[at] = ReliableLink(1 + self.drawn * 20 % 255, RETRY_MS)
        self.said[at, self.lives[at]] = 0
        self.owed[at] = []
        self.owed[1 - at] = []

    @rule(at=st.integers(0, 1), count=st.integers(1, 12))
    def send(self, at, count):
        end, other = self.ends[at], self.ends[1 - at]
        for _ in range(min(count, end.room())):
            number = self.said[at, self.lives[at]]
            self.said[at, self.lives[at]] += 1
            end.send(b"%d %d %d" % (at, self.lives[at], number))
            if end._peer == other._generation and other._peer == end._generation:
                self.owed[at].append(number)  # both know each other: this one must arrive

    @rule(at=st.integers(0, 1), losses=st.lists(st.booleans(), max_size=20))
    def transmit(self, at, losses):
        for index, line in enumerate(self.ends[at].data_to_send(self.now)):
            if not (index < len(losses) and losses[index]):
                self.lines[at].append(line)

    @rule(at=st.integers(0, 1), count=st.integers(1, 20))
    def arrive(self, at, count):
        line = self.lines[1 - at]
        for _ in range(min(count, len(line))):
            for frame in self.ends[at].receive_data(line.popleft(), self.now):
                origin, life, number = map(int, frame.split())
                assert origin == 1 - at
                self.taken.setdefault((at, self.lives[at], life), []).append(number)

    @rule(wait_ms=st.sampled_from([10, 1000, 3000, 20_000]))
    def wait(self, wait_ms):
        self.now += wait_ms
        for end in self.ends:
            end.handle_timer(self.now)

    @precondition(lambda self: self.drawn < 12)
    @rule(at=st.integers(0, 1))
    def restart(self, at):
        self._begin(at)

    @rule(at=st.integers(0, 1), data=st.binary(max_size=30))
    def noise(self, at, data):
        if all(link.decode(run) is None for run in data.split(b"\0") if run):
            self.lines[at].append(b"\0" + data + b"\0")

    @invariant()
    def runs_in_order_and_each_once(self):
        for numbers in self.taken.values():
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    @invariant()
    def bounded(self):
        for end in self.ends:
            assert len(end._queue) <= QUEUE_LIMIT
            assert 0 <= end._next <= WINDOW
            assert end._sent <= min(len(end._queue), WINDOW)
            assert end._sent == 0 or end._retry_at is not None

    def teardown(self):
        if not hasattr(self, "owed"):
            return
        for _ in range(60):
            for at in (0, 1):
                self.transmit(at, [])
                self.arrive(1 - at, 1000)
            self.wait(1000)
        for at in (0, 1):
            taken = self.taken.get((1 - at, self.lives[1 - at], self.lives[at]), [])
            assert self.ends[at].failed or self.ends[at].idle
            assert self.ends[at].failed or set(self.owed[at]) <= set(taken)


Restarting.TestCase.settings = settings(deadline=None, max_examples=200, stateful_step_count=60)
TestRestarting = Restarting.TestCase


# Strangers and noise.


def state(end):
    return (end._generation, list(end._queue), end._base, end._sent, end._heeded, end._peer, end._expected, end._owes)


def talking():
    """Two ends that know each other; the first has 12 frames to tell, 8 of them on their way."""
    one, two = ReliableLink(7, RETRY_MS), ReliableLink(9, RETRY_MS)
    for end, other in ((one, two), (two, one)):
        for frame in numbered(0, 5):
            end.send(frame)
        carry(end, other)
    for frame in numbered(5, 12):
        one.send(frame)
    one.data_to_send(0)
    return one, two


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(made_line(9, 6, 0, 7), id="names another generation of ours"),
        pytest.param(made_line(9, 0, 0, 7), id="names none"),
        pytest.param(made_line(3, 7, 0, 7), id="from another peer than the one that acknowledged before"),
        *[pytest.param(made_line(9, 7, 0, n), id=f"{n}: not on its way") for n in (5, 4, 0, 14, 15)],
        pytest.param(link.encode(b"\x09\x07"), id="too short"),
        pytest.param(link.encode(b"\x00\x07\x77"), id="from nobody"),
        pytest.param(link.encode(b"\x00\x07\x00frame"), id="a frame from nobody"),
        pytest.param(link.encode(b""), id="nothing"),
        pytest.param(made_line(3, 7, 1, 0, b"frame"), id="a frame from the middle of another life"),
        pytest.param(made_line(3, 6, 0, 0, b"frame"), id="a frame for another life of ours"),
        pytest.param(LOG + bytes(5), id="text"),
    ],
)
def test_a_line_that_does_not_fit_changes_nothing(line):
    one, _ = talking()
    before = state(one)
    assert one.receive_data(line, 0) == []
    assert state(one) == before
    assert one.data_to_send(0) == []


def test_an_acknowledgement_that_fits_takes_no_more_than_it_says():
    one, _ = talking()
    one.receive_data(made_line(9, 7, 0, 13), 0)
    assert [header(line)[4] for line in one.data_to_send(0)] == numbered(13, 4)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=700),
            st.binary(max_size=560).filter(lambda data: len(data) <= link.CONTENT_LIMIT).map(link.encode),
            st.builds(
                made_line,
                st.sampled_from([7, 9, 200]),
                st.sampled_from([0, 7, 9]),
                st.integers(0, 15),
                st.integers(0, 15),
                st.binary(max_size=9),
            ),
        ),
        max_size=40,
    )
)
def test_whatever_comes_raises_nothing_and_is_bounded(pieces):
    one, _ = talking()
    for now, piece in enumerate(pieces):
        one.receive_data(piece, now)
        assert len(one.data_to_send(now)) <= WINDOW
        assert len(one._queue) <= QUEUE_LIMIT
        assert len(one._deframer._line) + len(one.text) < 4 * link.CONTENT_LIMIT


# On MicroPython.

SCRIPT = """
from strapline_wire import link
from strapline_wire.arq import ReliableLink, draw_generation
from strapline_wire.errors import LocalProtocolError

state = [12345]

def draw(below):
    state[0] = (state[0] * 1103 + 12345) % 1000003
    return state[0] % below

ends = [ReliableLink(draw_generation(lambda n: bytes([draw(256)])), 1000), ReliableLink(200, 300)]
number = 0
for now in range(0, 60000, 50):
    for at in (0, 1):
        if draw(3) == 0:
            number += 1
            try:
                ends[at].send(b"%d" % number + bytes(draw(40)))
            except LocalProtocolError:
                print("full")
        ends[at].handle_timer(now)
        for line in ends[at].data_to_send(now):
            print("%d %d " % (now, at) + line.hex())
            if draw(5) == 0:
                line = line[: draw(len(line))] + b"log" + line[draw(len(line)) :]
            if draw(5):
                for frame in ends[1 - at].receive_data(line, now):
                    print("%d took " % (1 - at) + frame.hex())
    if now == 40000:
        ends[1] = ReliableLink(201, 300)
for end in ends:
    print(str((end.failed, end.retransmitted, end.duplicates, end.out_of_order, end.broken, end.text, end.next_deadline())))
"""


def test_the_same_script_gives_the_same_lines_on_micropython():
    said = []
    exec(SCRIPT, {"print": said.append})
    assert run_on_micropython(SCRIPT) == said
    assert sum("took" in line for line in said) > 100
    assert "full" in said


MEMORY = """
import gc
from strapline_wire import link
from strapline_wire.arq import ReliableLink, QUEUE_LIMIT

gc.collect()
before = gc.mem_alloc()
one = ReliableLink(7, 1000)
for n in range(2000):
    if one.room():
        one.send(bytes(60))
    one.data_to_send(n)
    one.receive_data(b"\\xa5" * 100, n)
    one.receive_data(link.encode(bytes([n % 255 + 1, 0, 0]) + bytes(40)), n)
    one.receive_data(link.encode(bytes([9, 7, n % 256])), n)
gc.collect()
print(gc.mem_alloc() - before)

def used(attempt, *arguments):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    attempt(*arguments)
    after = gc.mem_alloc()
    gc.enable()
    return after - before

print(used(one.next_deadline), used(one.handle_timer, 0))
"""


def test_garbage_and_forgeries_fill_no_small_heap_and_asking_the_deadline_allocates_nothing():
    held, timers = run_on_micropython(MEMORY)
    assert int(held) < 8 * 1024  # 16 frames of 60 bytes, a line and a text of 550, where words have 8 bytes
    assert timers == "0 0"
