"""Still, moving, at rest: from the accelerometer's samples, and what the tag tells of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.tag_pair import TagPair

QUIET = {"home_silence_s": 100_000_000, "beacon_period_s": 14_400}
STILL = [(0, 0, 1000)]
STEP = [(0, 0, 1000), (900, 0, 1400)]


class Limb(TagPair):
    """An armed tag whose accelerometer says, each second, what `does` holds: triplets of mg, over and over up to 25."""

    def __init__(self, config=None):
        super().__init__(QUIET | (config or {}), sampling=True)
        self.does = []
        self.run(5)
        self.arm()
        self.connect()

    def read_motion(self, samples):
        count = 25 if self.does else 0
        for i in range(count):
            x, y, z = self.does[i % len(self.does)]
            samples[i * 3], samples[i * 3 + 1], samples[i * 3 + 2] = x, y, z
        return count

    def do(self, samples, seconds):
        self.does = samples
        self.run(seconds)

    def told(self):
        return [name for name in self.names() if name in ("resting", "moving")]


@pytest.fixture
def limb():
    return Limb()


@pytest.mark.parametrize("still", [STILL, []], ids=["samples of gravity", "a chip that sleeps"])
def test_ten_minutes_still_are_rest_and_not_one_window_less(limb, still):
    limb.do(STEP, 30)
    limb.do(still, 590)
    assert not limb.tag.situation.resting
    limb.do(still, 30)
    assert limb.tag.situation.resting
    assert limb.told() == ["resting"]


@pytest.mark.parametrize("phase_ms", range(0, 1000, 111))
def test_motion_after_six_hours_of_rest_wakes_within_a_second(limb, phase_ms):
    limb.do(STILL, 6 * 3600)
    limb.run_to(limb.now // 1000 * 1000 + phase_ms)
    moved_at = limb.now
    limb.do(STEP, 2)
    assert limb.told() == ["resting", "moving"]
    assert 0 <= limb.times("moving")[0] - moved_at <= 1000
    assert limb.tag.situation.moving
    assert not limb.tag.situation.resting


def test_moving_is_said_of_the_last_ten_seconds_long_before_rest(limb):
    limb.do(STEP, 20)
    assert limb.tag.situation.moving
    limb.do(STILL, 20)
    assert not limb.tag.situation.moving
    assert not limb.tag.situation.resting
    limb.do(STEP, 20)
    assert limb.tag.situation.moving


@pytest.mark.parametrize(("x", "y", "z"), [(1000, 0, 0), (-707, 0, 707), (0, 0, -1000), (8000, -8000, 8000)])
def test_gravity_from_any_side_is_no_motion(limb, x, y, z):
    limb.do([(x, y, z)], 700)
    assert limb.tag.situation.resting


def test_the_sensors_own_noise_is_no_motion_and_wakes_nobody(limb):
    limb.do([(0, 0, 1000), (4, -4, 1004)], 3600)
    assert limb.told() == ["resting"]
    assert limb.tag.situation.resting


def test_a_restless_sleeper_is_told_of_once_an_hour():
    limb = Limb()
    for _ in range(20):
        limb.do(STILL, 700)
        limb.do(STEP, 20)
    hours = 20 * 720 / 3600
    assert limb.told() == ["resting", "moving"] * (len(limb.told()) // 2)
    assert 2 * hours - 2 <= len(limb.told()) <= 2 * hours + 2


def test_a_sensor_that_does_not_answer_is_no_rest(limb):
    limb.do([], 700)
    assert limb.told() == ["resting"]
    limb.faults = 8
    limb.do([], 3600)
    assert limb.told() == ["resting", "moving"]
    assert limb.tag.situation.moving


def test_blows_of_16_g_are_moving_and_nothing_else(limb):
    limb.do([(16000, -16000, 16000), (-16000, 16000, -16000)], 600)
    assert set(limb.names()) == {"started", "armed"}
    assert limb.tag.situation.moving


@given(st.lists(st.lists(st.tuples(*[st.integers(-32768, 32767)] * 3), min_size=1, max_size=5), max_size=30))
def test_no_course_of_blows_is_a_tamper(blows):
    limb = Limb()
    for blow in blows:
        limb.do(blow, 3)
    assert set(limb.names()) <= {"started", "armed"}
