"""Whom a tag does not ask has nothing to say: it does what it would do if every part were asked with every reading and every heartbeat."""

from array import array
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import Memory, TagPair
from flash import Flash
from strapline_protocol.cipher import HostCipher
from strapline_tag.config import Config
from strapline_tag.sampling import Sampler
from strapline_tag.tag import Tag


class Sensors:
    moved = True

    def __init__(self):
        self.strap_ohm, self.skin_centi_c, self.ambient_centi_c, self.battery_percent = 1000, 3300, 2200, 80
        self.battery_mv, self.charging, self.case_open, self.immersed, self.faults = 3700, 0, 0, 0, 0
        self.jam, self.cell_dbm, self.swing = 0, -85, 0

    def read_motion(self, samples):
        if not self.swing:
            return 0
        samples[:6] = array("h", (self.swing, 0, 0, 0, 0, 0))
        return 2


class Life:
    """A tag that is armed, and what came out of it."""

    def __init__(self, mode, home_hours, *, asks_all):
        config = {"mode": mode, "rest_after_s": 120, "home_silence_s": 60, "skin_lost_s": 100, "fix_timeout_s": 20}
        self.tag = Tag(bytes(16), Memory(), Random(7).randbytes, HostCipher, Flash(), Config(config))
        self.sensors = Sensors()
        self.sampler = Sampler(self.tag, self.sensors, self.tag._config, 0)
        self.asks_all = asks_all
        self.now, self.out = 0, []
        self.tag.strap_ohm = 1000
        self.tag.situation.armed = True
        self.tag.situation.home_hours = home_hours
        self.tag._begin(1000)
        self.tag._presence.arm(0)
        self.tag._beacon.start(0)
        self.tag._settle(0)

    def run(self, seconds):
        tag, until = self.tag, self.now + seconds * 1000
        while (at := min(tag.next_deadline(), self.sampler.due)) <= until:
            if self.sampler.due <= at:
                if self.asks_all:
                    tag.strap.unsettle()
                    tag.housing.calm = -1
                    tag.sky.calm_dbm = None
                self.sampler.handle_timer(at)
            if tag.next_deadline() <= at:
                tag._touched |= self.asks_all
                tag.handle_timer(at)
            self.out += [(at, *output) for output in tag.take_outputs()]
        self.now = until

    def happen(self, what):
        kind, value = what
        if kind == "edge":
            self.tag.feed_strap_edge(self.now, value)
        elif kind == "ring":
            self.tag.feed_ring(self.now)
        elif kind == "home":
            self.tag._presence.welcomed(self.now, True)
            self.tag._presence.heard(self.now)
            self.tag._settle(self.now)
        else:
            setattr(self.sensors, kind, value)
        self.out += [(self.now, *output) for output in self.tag.take_outputs()]

    def facts(self):
        tag = self.tag
        return (
            self.out,
            vars(tag.situation),
            len(tag.journal),
            tag.journal.alarms,
            tag.skin.lost,
            tag.strap_ohm,
            tag.housing._wait_s,
            tag._presence.asked,
        )


VALUES = {
    "strap_ohm": [0, 700, 799, 800, 1000, 1200, 1201, 5000, 9999, 10_000, 10**6],
    "skin_centi_c": [2200, 2340, 2500, 3300, 4500],
    "ambient_centi_c": [-1000, 2200, 3200, 3300, 6100],
    "case_open": [0, 1],
    "charging": [0, 1],
    "immersed": [0, 1],
    "swing": [0, 0, 300, 2000],
    "faults": [0, 0, 2, 8],
    "cell_dbm": [-140, -126, -100, -85, 0],
    "jam": [0, 99, 200],
    "battery_percent": [80, 20, 9, 2],
    "edge": [False, True],
    "ring": [None],
    "home": [None],
}
SECONDS = [0, 1, 3, 11, 40, 130, 400]


@st.composite
def stories(draw):
    """What happens, and how long it is left alone: of a few kinds, so that each comes often."""
    kinds = st.sampled_from(draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4)))
    steps = kinds.flatmap(lambda kind: st.tuples(st.just(kind), st.sampled_from(VALUES[kind])))
    return draw(st.lists(st.tuples(steps, st.sampled_from(SECONDS)), min_size=3, max_size=20))


@given(st.integers(0, 2), st.booleans(), stories())
@settings(max_examples=150)
def test_a_tag_that_asks_only_where_something_has_happened_does_what_one_does_that_asks_all(mode, home_hours, story):
    calm, thorough = (Life(mode, home_hours, asks_all=asks_all) for asks_all in (False, True))
    for life in (calm, thorough):
        for what, seconds in story:
            life.happen(what)
            life.run(seconds)
        life.run(30)
    assert calm.facts() == thorough.facts()


def test_a_limb_that_stirs_without_a_word_makes_the_tag_ask_for_home_sooner():
    life = Life(0, False, asks_all=False)
    for swing, seconds in (
        (0, 150),
        (2000, 20),
        (0, 150),
    ):  # the second rest within the hour is not told, nor is its end
        life.happen(("swing", swing))
        for _ in range(seconds // 10):
            life.happen(("home", None))
            life.run(10)
    assert life.tag.situation.resting
    told = len(life.tag.journal)
    life.happen(("home", None))
    life.happen(("swing", 2000))
    life.run(30)
    assert (life.tag._presence.asked is not None, len(life.tag.journal)) == (True, told)


@pytest.mark.parametrize(("cell_dbm", "times"), [(-85, 1), (-140, 6)])
def test_a_cell_that_is_gone_is_looked_at_with_each_reading_and_one_that_stays_once_a_minute(
    cell_dbm, times, monkeypatch
):
    pair = TagPair(sampling=True)
    pair.cell_dbm = cell_dbm
    pair.run_to(65_000)
    sampled, sample = [], pair.tag.sky.sample
    monkeypatch.setattr(pair.tag.sky, "sample", lambda *reading: sampled.append(reading) or sample(*reading))
    pair.run(60)
    assert len(sampled) == times
