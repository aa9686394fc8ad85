"""The second vote on the simulated limb: no life that is lived alarms, and a thing on a table does.

Always at rest, so that motion excuses nobody.
"""

from random import Random

import pytest

from strapline_protocol.definitions import EventCode
from strapline_simulator.world.heat import SURROUNDINGS, Heat
from strapline_tag.config import Config
from strapline_tag.situation import Situation
from strapline_tag.skin import Skin

STEP_S = 10


class Vote:
    """The tag's second vote on a limb, the strap silent."""

    def __init__(self):
        self.situation = Situation()
        self.situation.armed = self.situation.resting = True
        self.told = []
        self.skin = Skin(
            Config(), self.situation, lambda code, now, _: self.told.append((EventCode(code).name, now // 1000))
        )
        self.heat = Heat()
        self.now = 0

    def live(self, seconds):
        for _ in range(seconds // STEP_S):
            self.now += STEP_S
            self.situation.immersed = self.heat.wet
            skin_c, ambient_c = self.heat.skin_c(self.now), self.heat.ambient_c(self.now)
            self.skin.sample(self.now * 1000, round(skin_c * 100), round(ambient_c * 100))

    def codes(self):
        return {code for code, _ in self.told}


@pytest.mark.parametrize("seed", range(12))
def test_a_week_of_surroundings_at_random_never_alarms_while_the_tag_is_worn(seed):
    dice = Random(seed)
    vote = Vote()
    for _ in range(7 * 12):
        name = dice.choice([*SURROUNDINGS, "room", "bed", "room", "bed"])
        vote.heat.surround(vote.now, name)
        if name in ("room", "frost") and dice.random() < 0.7:
            vote.heat.set_ambient(vote.now, dice.uniform(*((12, 36) if name == "room" else (-25, 12))))
        vote.live(
            round(dice.expovariate(1 / 7200) + 60) if name in ("room", "bed", "frost") else dice.randrange(60, 1800)
        )
    assert "REMOVED" not in vote.codes()


@pytest.mark.parametrize("seed", range(10))
def test_a_week_with_a_limb_as_cold_as_the_room_never_alarms(seed):
    dice = Random(seed)
    each_hour_c = dice.choice([0.1, 0.3, 1, 2])
    vote = Vote()
    vote.heat.set_limb(0, cold=True)
    room_c = 20.0
    for _ in range(7 * 24):
        room_c = min(24.0, max(15.0, room_c + dice.uniform(-each_hour_c, each_hour_c)))
        vote.heat.set_ambient(vote.now, room_c)
        vote.live(3600)
    assert "SKIN_LOST" in vote.codes()
    assert "REMOVED" not in vote.codes()


@pytest.mark.parametrize("seed", range(40))
def test_a_tag_on_a_table_is_removed_within_75_minutes_wherever_skin_is_warmer(seed):
    dice = Random(seed)
    vote = Vote()
    vote.heat.set_ambient(0, dice.uniform(-15, 27.5))
    vote.live(7200)
    assert vote.told == []
    taken_at = vote.now
    vote.heat.take_off(taken_at)
    vote.live(75 * 60)
    assert [code for code, _ in vote.told] == ["SKIN_LOST", "REMOVED"]


@pytest.mark.parametrize("ambient_c", [28.5, 31.5, 34, 36, 37.9, 43])
def test_in_surroundings_as_warm_as_skin_it_says_nothing_that_it_cannot_know(ambient_c):
    vote = Vote()
    vote.heat.set_ambient(0, ambient_c)
    vote.live(7200)
    vote.heat.take_off(vote.now)
    vote.live(6 * 3600)
    assert "REMOVED" not in vote.codes()
