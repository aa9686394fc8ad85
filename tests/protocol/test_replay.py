"""The replay window against the naive rule: accept what is new, and no older than 64 behind the newest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from strapline_wire.errors import RemoteProtocolError
from strapline_wire.replay import ReplayWindow

HIGHEST = 0xFFFFFFFF


class NaiveWindow:
    """Remembers everything."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()

    def verdict(self, counter: int) -> str:
        if self.accepted and counter <= max(self.accepted) - 64:
            return "too_old"
        return "replayed" if counter in self.accepted else "fresh"


def verdict(window: ReplayWindow, counter: int) -> str:
    try:
        window.check(counter)
    except RemoteProtocolError as error:
        return str(error.reason)
    return "fresh"


class WindowMachine(RuleBasedStateMachine):
    """Counters come in any order; forged ones are checked and never accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.window = ReplayWindow()
        self.naive = NaiveWindow()

    def _at(self, step: int) -> int:
        newest = max(self.naive.accepted, default=0)
        return min(max(newest + step, 0), HIGHEST)

    @rule(
        step=st.one_of(
            st.integers(-70, 70), st.integers(-1, 1), st.sampled_from([-65, -64, -63, 63, 64, 65, 128, 1 << 31])
        )
    )
    def a_genuine_frame_comes(self, step: int) -> None:
        counter = self._at(step)
        expected = self.naive.verdict(counter)
        assert verdict(self.window, counter) == expected
        if expected == "fresh":
            self.window.accept(counter)
            self.naive.accepted.add(counter)
            assert verdict(self.window, counter) == "replayed"

    @rule(step=st.integers(-70, 1 << 32))
    def a_forged_frame_is_only_checked(self, step: int) -> None:
        counter = self._at(step)
        assert verdict(self.window, counter) == self.naive.verdict(counter)

    @invariant()
    def every_counter_around_the_window_has_its_verdict(self) -> None:
        newest = max(self.naive.accepted, default=0)
        for counter in range(max(newest - 66, 0), newest + 3):
            assert verdict(self.window, counter) == self.naive.verdict(counter)


WindowMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_every_verdict_is_that_of_a_naive_window = WindowMachine.TestCase


@settings(max_examples=200)
@given(st.lists(st.integers(0, 200), max_size=300))
def test_no_counter_is_ever_taken_twice(counters: list[int]) -> None:
    window, taken = ReplayWindow(), []
    for counter in counters:
        if verdict(window, counter) == "fresh":
            window.accept(counter)
            taken.append(counter)
    assert len(taken) == len(set(taken))
    assert set(counters) - set(taken) <= {old for old in counters if old <= max(taken) - 64}


@pytest.mark.parametrize("newest", [100, 1 << 31, HIGHEST])
def test_the_window_is_64_wide_to_the_counter(newest: int) -> None:
    window = ReplayWindow()
    window.accept(newest)
    assert verdict(window, newest) == "replayed"
    assert verdict(window, newest - 63) == "fresh"
    assert verdict(window, newest - 64) == "too_old"


@pytest.mark.parametrize("jump, left", [(1, "replayed"), (63, "replayed"), (64, "too_old"), (1 << 31, "too_old")])
def test_a_jump_of_any_size_forgets_only_what_has_grown_too_old(jump: int, left: str) -> None:
    window = ReplayWindow()
    window.accept(5)
    window.accept(5 + jump)
    assert verdict(window, 5) == left
    assert verdict(window, 5 + jump) == "replayed"
    assert verdict(window, 5 + jump + 1) == "fresh"


def test_the_first_counter_may_be_zero_and_counts_once() -> None:
    window = ReplayWindow()
    assert verdict(window, 0) == "fresh"
    window.accept(0)
    assert verdict(window, 0) == "replayed"
    assert verdict(window, 1) == "fresh"
