"""A tag's life with updates in any order: good ones, bad ones, restarts, power cuts and flipped bits. It always runs something genuine."""

from functools import cache

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from strapline_protocol.codes import EventCode, Refusal
from strapline_simulator.quick_key import QuickKey
from update_bench import Life, Power, PowerCut, image_of, signed

KEY, STRANGER = QuickKey(), QuickKey("stranger")


@cache
def image(sequence):
    return image_of(f"{sequence}", 300 + sequence % 7)


@cache
def genuine(sequence):
    return signed(KEY, image(sequence), sequence)


class UpdatedTag(RuleBasedStateMachine):
    @initialize()
    def factory(self):
        self.life = Life(KEY, capacity=400)
        self.life.install(0, genuine(5))
        self.life.boot()
        self.steady = 5

    def does(self, act):
        """Something that a power cut may end."""
        try:
            act()
        except PowerCut:
            self.boot()
        self.life.flash.power = Power()

    def boot(self):
        self.life.flash.power = Power()
        self.life.boot()
        self.now_runs()

    def now_runs(self):
        slots = self.life.slots
        assert self.life.ran[-1] == image(slots.sequence)
        if not slots.trial:
            assert (
                slots.sequence >= self.steady
            )  # nothing that runs is flipped here, so nothing ever goes back behind it
            self.steady = slots.sequence

    @rule(cut=st.integers(1, 30), how=st.sampled_from(["none", "torn", "all"]), seed=st.integers(0, 99))
    def power_will_be_cut(self, cut, how, seed):
        self.life.flash.power = Power(cut, how, seed)

    @rule(ahead=st.integers(1, 3))
    def a_newer_one(self, ahead):
        self.does(lambda: self.life.begin(genuine(self.life.slots.sequence + ahead)) or self._send(ahead))

    def _send(self, ahead):
        self.life.send(genuine(self.life.slots.sequence + ahead))

    @precondition(lambda self: not self.life.slots.trial and self.life.update.restart_at is None)
    @rule(wrong=st.sampled_from(["older", "equal", "stranger", "board", "flipped", "longer"]), at=st.integers(0, 3_000))
    def one_that_is_wrong(self, wrong, at):
        sequence = self.life.slots.sequence
        stream = {
            "older": lambda: genuine(sequence - 1),
            "equal": lambda: genuine(sequence),
            "stranger": lambda: signed(STRANGER, image(sequence + 1), sequence + 1),
            "board": lambda: signed(KEY, image(sequence + 1), sequence + 1, board="pico-w"),
            "flipped": lambda: _flipped(genuine(sequence + 1), at),
            "longer": lambda: genuine(sequence + 1) + b"\0",
        }[wrong]()
        self.does(lambda: self._refused(stream))

    def _refused(self, stream):
        reason = self.life.begin(stream)
        if reason:
            assert reason == Refusal.OLD_REVISION  # the very one that runs
            return
        assert not self.life.send(stream)
        assert self.life.told[-1][0] == EventCode.UPDATE_REFUSED
        assert self.life.refusal() in {
            Refusal.UNSIGNED,
            Refusal.OLD_REVISION,
            Refusal.WRONG_BOARD,
            Refusal.MALFORMED,
        }

    @rule()
    def it_restarts(self):
        self.does(self.life.boot)
        self.now_runs()

    @precondition(lambda self: self.life.slots.trial)
    @rule()
    def it_confirms_itself(self):
        self.does(self.life.show_all)
        self.now_runs()

    @rule(at=st.integers(0, 3_100), bit=st.integers(0, 7))
    def a_bit_flips_in_the_spare_slot(self, at, bit):
        self.life.flash.areas[self.life.slots.running ^ 1][at] ^= 1 << bit

    @invariant()
    def something_genuine_has_always_run(self):
        if hasattr(self, "life"):
            assert None not in self.life.ran
            assert self.life.slots.floor <= self.life.slots.sequence or self.life.slots.trial


def _flipped(stream, at):
    at %= len(stream)
    return stream[:at] + bytes([stream[at] ^ 0x40]) + stream[at + 1 :]


UpdatedTag.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestUpdatedTag = UpdatedTag.TestCase
