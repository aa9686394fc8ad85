import threading

import pytest

from strapline_hil.rig.real.lanes import Lane
from strapline_hil.rig.real.turns import EndedError, Guarded, Turns
from strapline_hil.verdict import RigError


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def lane():
    lane = Lane("rig", Clock())
    yield lane
    lane.close()


def test_deeds_come_one_after_the_other(lane):
    done = []
    for number in range(20):
        lane.soon("a deed", lambda number=number: done.append(number))
    assert lane.act(lambda: list(done)) == list(range(20))


def test_what_nobody_waited_for_fails_at_the_next_look(lane):
    def fail():
        raise RigError("relay", "is stuck", "tap it")

    lane.soon("a deed", fail)
    lane.act(lambda: None)
    with pytest.raises(RigError, match="is stuck"):
        lane.raise_failure()
    lane.raise_failure()  # told once


def test_a_deed_that_comes_late_is_the_rigs_failure_and_not_done(lane):
    clock, go = lane._clock, threading.Event()
    lane.late_s = 2.0
    done = []

    def slow():
        go.wait(10)
        clock.now_s += 2.5

    lane.patiently(slow)
    lane.soon("the strap", lambda: done.append("cut"))
    lane.patiently(lambda: done.append("background"))
    go.set()
    lane.act(lambda: None)
    with pytest.raises(RigError, match=r"the strap came 2\.5 s late"):
        lane.raise_failure()
    assert done == ["background"]


def test_of_many_temperatures_the_last_one_is_set(lane):
    go, wanted = threading.Event(), []
    lane.patiently(lambda: go.wait(10))
    for degrees in range(30, 35):
        lane.newest(lambda degrees=degrees: wanted.append(degrees))
    go.set()
    lane.act(lambda: None)
    assert wanted == [34]


class Board:
    """Notes who speaks to it, and is not to be spoken to by two at once."""

    def __init__(self):
        self.busy, self.said = False, []

    def warm(self, rest):
        self._say("warm")
        rest(0.01)
        self._say("warm enough")

    def switch(self):
        self._say("switch")

    def _say(self, what):
        assert not self.busy
        self.busy = True
        self.said.append(what)
        self.busy = False


def test_while_warmth_is_waited_for_others_have_their_turn():
    turns, board = Turns(), Board()
    guarded, begun, switched = Guarded(board, [turns]), threading.Event(), threading.Event()

    def rest(for_s):
        begun.set()
        while not switched.is_set():
            turns.rest(for_s)

    warming = threading.Thread(target=lambda: guarded.warm(rest))
    warming.start()
    begun.wait(10)
    guarded.switch()
    switched.set()
    warming.join()
    assert board.said == ["warm", "switch", "warm enough"]


def test_nobody_waits_for_warmth_on_a_rig_that_is_closed():
    turns = Turns()
    turns.end()
    with turns, pytest.raises(EndedError):
        turns.rest(600)
