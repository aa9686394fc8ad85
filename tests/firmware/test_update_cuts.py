"""The power is cut in the middle of every single operation on flash: the old image runs, or the new one, and nothing that is not signed."""

import random

import pytest

from strapline_protocol.codes import EventCode
from strapline_simulator.quick_key import QuickKey
from strapline_wire import manifest
from update_bench import Life, Power, PowerCut, image_of, record_events, signed

KEY = QuickKey()
OLD, NEW = image_of("old", 500), image_of("new", 600)
FIRST, SECOND = signed(KEY, OLD, 5), signed(KEY, NEW, 6)
HOWS = ("none", "torn", "all")
BOOTS = 12


def taken(life):
    """Delivery, restart, trial, confirmation; gives whether it is over."""
    if not life.slots.trial and life.ran[-1] == NEW:
        return True
    if life.slots.trial:
        life.show_all()
    elif life.send(SECOND):
        life.boot()
    return False


def undone(life):
    """The same, but the new image never confirms itself."""
    if any(code == EventCode.UPDATE_UNDONE for code, _ in life.told):
        return True
    if life.slots.trial or life.send(SECOND):
        life.boot()
    return False


def corrupt(life):
    """The confirmed new image has become corrupt."""
    life.boot()
    return life.told[-1] == (EventCode.IMAGE_CORRUPT, 1)


def lived(story, powers, life=None):
    """A life through a story, with these powers one after the other."""
    life = life or fresh()
    for power in [*powers, Power()]:
        life.flash.power = power
        try:
            if life.slots is None:
                life.boot()
            for _ in range(BOOTS):
                if story(life):
                    return life
            pytest.fail("comes to no end")
        except PowerCut:
            life.slots = None
    pytest.fail("cut without a cause")


def fresh():
    life = Life(KEY)
    life.install(0, FIRST)
    assert life.boot() == OLD
    return life


def confirmed_and_corrupt():
    life = lived(taken, [])
    life.flash.areas[1][manifest.HEAD + 1] ^= 1
    life.slots = None
    return life


def steps(story, make=fresh):
    power = Power()
    lived_through = make()
    lived_through.flash.power = power
    for _ in range(BOOTS):
        if lived_through.slots is None:
            lived_through.boot()
        if story(lived_through):
            return power.count
    raise AssertionError


def check_taken(life, cuts=1):
    assert set(life.ran) == {OLD, NEW}
    assert life.ran[-1] == NEW
    events = record_events(life)
    assert (
        1 <= events.count((EventCode.UPDATE_TAKEN, 6)) <= 1 + cuts
    )  # told again where the cut came before it was let go of
    assert events.count((EventCode.UPDATE_UNDONE, 6)) <= cuts
    first = events.index((EventCode.UPDATE_TAKEN, 6))
    assert {code for code, _ in events[:first]} <= {EventCode.UPDATE_UNDONE}
    assert {code for code, _ in events[first:]} == {EventCode.UPDATE_TAKEN}  # what is confirmed is never given up again
    assert all(told <= life.told.index((EventCode.UPDATE_TAKEN, 6)) for told in life.trials)  # nor on trial
    assert [life.boot(), life.boot()] == [NEW, NEW]
    assert record_events(life) == events


def check_undone(life):
    assert set(life.ran) <= {OLD, NEW}  # a try that is noted and then cut was one
    assert life.ran[-1] == OLD
    assert {code for code, _ in record_events(life)} == {EventCode.UPDATE_UNDONE}
    told = len(life.told)
    assert [life.boot(), life.boot()] == [OLD, OLD]
    assert len(life.told) <= told + 1


@pytest.mark.parametrize("how", HOWS)
def test_cut_in_delivery_commit_first_start_and_confirmation(how):
    count = steps(taken)
    assert count > 25
    for cut in range(1, count + 1):
        check_taken(lived(taken, [Power(cut, how)]))


@pytest.mark.parametrize("how", HOWS)
def test_cut_in_going_back(how):
    for cut in range(1, steps(undone) + 1):
        check_undone(lived(undone, [Power(cut, how)]))


@pytest.mark.parametrize("how", HOWS)
def test_cut_in_falling_back_from_a_corrupt_image(how):
    count = steps(corrupt, confirmed_and_corrupt)
    assert count >= 3
    for cut in range(1, count + 1):
        life = lived(corrupt, [Power(cut, how)], confirmed_and_corrupt())
        assert set(life.ran) == {OLD, NEW}
        assert life.ran[-1] == OLD
        assert [life.boot(), life.boot()] == [OLD, OLD]


def test_cut_twice_and_three_times_wherever():
    draw = random.Random("cuts")
    count = steps(taken)
    for seed in range(250):
        powers = [Power(draw.randint(1, count), draw.choice(HOWS), seed) for _ in range(draw.randint(2, 3))]
        check_taken(lived(taken, powers), len(powers))


def test_a_trial_that_is_cut_is_a_trial_that_failed():
    life = lived(taken, [])
    assert life.ran == [OLD, NEW]
    life = fresh()
    life.send(SECOND)
    life.boot()
    life.boot()  # without power in between, whatever the reason
    assert life.ran == [OLD, NEW, OLD]


def test_cuts_on_a_real_geometry():
    image = image_of("whole", 45_000)
    stream = signed(KEY, image, 6)

    def delivered(life):
        if not life.slots.trial and life.ran[-1] == image:
            return True
        if life.slots.trial:
            life.show_all()
        elif life.send(stream):
            life.boot()
        return False

    def made():
        life = Life(KEY, capacity=61_440, sector=4096)
        life.install(0, FIRST)
        life.boot()
        return life

    count = steps(delivered, made)
    assert count > 200
    draw = random.Random("real")
    for cut in [1, 2, count - 1, count, *draw.sample(range(3, count - 1), 26)]:
        life = lived(delivered, [Power(cut, draw.choice(HOWS))], made())
        assert set(life.ran) == {OLD, image}
        assert life.ran[-1] == image
