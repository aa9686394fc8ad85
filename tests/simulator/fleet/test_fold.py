"""Folded or lived through: the same records in the same order, the same alerts, the same presence, in time within a stated bound."""

import os
from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleet_homes import HOME, TOWN, home, tag
from strapline_protocol import codes
from strapline_protocol.codes import EventCode
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_house import Home
from strapline_simulator.fleet.engine_motion import Activity, activity
from strapline_simulator.fleet.engine_record import Observer
from strapline_simulator.fleet.fold import BOUND_S
from strapline_simulator.fleet.fold_motion import KnownTravel, MotionFold
from strapline_simulator.fleet.home import run_home
from strapline_tag.config import Config
from strapline_tag.motion import Motion
from strapline_tag.situation import Situation

LIVES = 60 if os.environ.get("STRAPLINE_LONG") else 4

BASE = "6a000001"
ALARMS = {EventCode(code).name.lower() for code in codes.ALARMS}

OUT_S = 4200
"""A way out and back, and a quarter of an hour's distance from anything else that is told."""

HAPPENINGS = st.one_of(
    st.tuples(st.just("motion"), st.sampled_from(["still", "sleep", "awake", "walk", "sport"])),
    st.tuples(st.just("surroundings"), st.sampled_from(["room", "bed", "frost", "bath", "sauna"])),
    st.tuples(st.just("charger"), st.booleans()),
    st.tuples(st.just("limb"), st.sampled_from(["warm", "cold"])),
    st.tuples(st.just("immerse"), st.booleans()),
    st.tuples(st.just("open_strap"), st.sampled_from([0.05, 3.0])),
    st.tuples(st.just("strap_ohm"), st.sampled_from([1000, 1500])),
    st.tuples(st.just("out"), st.sampled_from([1200.0, 3000.0])),
    st.tuples(st.just("gateway_line"), st.booleans()),
    st.tuples(st.just("shelter"), st.sampled_from(["street", "bath", "foil", "car_park"])),
    st.tuples(st.just("case"), st.sampled_from(["open", "closed"])),
    st.tuples(st.just("curfew"), st.just({"weekly": [{"window": "may_leave", "between": "09:00-12:00"}]})),
    st.tuples(st.just("wrapped"), st.sampled_from([1300.0, 2300.0])),
    st.tuples(st.just("jammed"), st.sampled_from([30.0, 1500.0])),
    st.tuples(st.just("ambient"), st.sampled_from([5.0, 27.0])),
)


@st.composite
def lives(draw):
    profile = draw(st.sampled_from(["home-rf", "call-in", "facility", "two-piece", "one-piece"]))
    at, happens = 1750.0, []
    for verb, argument in draw(st.lists(HAPPENINGS, max_size=5)):
        # Away from the beacons' moments: what hangs on a call may come before or after them.
        if (at - 120) % 14400 > 14400 - OUT_S:
            at += OUT_S
        if verb == "out":
            happens += [(at, "go", (*TOWN, 900.0)), (at + 900 + argument, "go", (*HOME, 900.0))]
        elif verb == "wrapped":
            happens += [(at, "shelter", "foil"), (at + argument, "shelter", "indoors")]
        elif verb == "jammed":
            happens += [(at, "jammer", True), (at + argument, "jammer", False)]
        else:
            happens.append((at, verb, argument))
        at += OUT_S
    return profile, happens, draw(st.integers(0, 1 << 30))


def log_of(spec):
    """What was decided, by who it is about: records, alerts and presence, each with its moment."""
    agenda = Agenda()
    house = Home(spec, agenda)
    observer = Observer(house)
    agenda.run(round(spec.hours * 3_600_000))
    told = {}
    # A call that happens to stand brings an alarm's record before a heartbeat can tell of it: an alert has the same name either way.
    named = {alert: said[1] for _, _, alert, name, *said in observer.log if name == "alert" and said[0] == "named"}
    merged = {alert for _, _, alert, name, *said in observer.log if name == "alert" and said[0] == "merged"}
    for now_s, source, number, name, *said in observer.log:
        if name == "alert":
            what, code = said
            if what != "named" and number not in merged:
                told.setdefault((source, "alert"), []).append((now_s, what, named.get(number, code)))
        elif name in ("presence", "notice", "alarm"):
            about = said[:2] if name == "presence" else said[:1]
            told.setdefault((source, name), []).append((now_s, *about))
        elif name in ("fix", "sky_back"):
            told.setdefault((source, name), []).append(said)
        else:
            told.setdefault((source, "record"), []).append((said[0] if said else now_s, name))
    return told, house


@settings(max_examples=LIVES)
@given(lives())
def test_a_folded_life_comes_out_the_same(life):
    profile, happens, seed = life
    hours = max(5.0, (max([at for at, *_ in happens], default=0) + 2 * OUT_S) / 3600)
    (whole, _), (folded, house) = (
        log_of(home(tag("7a900001", profile, *happens), hours=hours, seed=seed, fold=fold)) for fold in (False, True)
    )
    positions = [told.pop(("7a900001", "fix"), []) for told in (whole, folded)]
    assert abs(len(positions[0]) - len(positions[1])) <= 2 + len(positions[0]) // 20
    # Unwrapped at home a tag is found by a call, or by the sky before that: which is first is drawn, and folded it is drawn anew.
    backs = [len(told.pop(("7a900001", "sky_back"), [])) for told in (whole, folded)]
    races = sum(argument == "indoors" for _, _, argument in happens) if profile == "two-piece" else 0
    assert abs(backs[0] - backs[1]) <= races
    for told in (whole, folded):
        alarms = [at_s for at_s, name in told.get(("7a900001", "record"), ()) if name in ALARMS]
        for at_s, *_ in told.pop((BASE, "alarm"), ()):
            assert any(alarm_s <= at_s for alarm_s in alarms)
    for about in {*whole, *folded}:
        assert_the_same(whole.get(about, []), folded.get(about, []), hours * 3600, about)
    # Orders are offered to every gateway; the base station of a home without one refuses them, folded or not.
    assert not set(house.base.station.rejected) - ({"unknown_tag"} if profile == "one-piece" else set())
    assert not house.ingress.station.rejected


def assert_the_same(lived, folded, end_s, about):
    """One by one within the bound; at the run's very end one may have what the other would have had within the bound."""
    pairs = list(zip(lived, folded, strict=False))
    assert [one[1:] for one, _ in pairs] == [one[1:] for _, one in pairs], about
    assert all(abs(ours_s - theirs_s) <= BOUND_S for (ours_s, *_), (theirs_s, *_) in pairs), about
    surplus = lived[len(pairs) :] + folded[len(pairs) :]
    assert all(at_s > end_s - BOUND_S for at_s, *_ in surplus), (about, surplus)


def test_the_next_heartbeat_after_a_fold_is_taken_and_its_counter_was_never_used():
    specs = [
        home(tag("7a900001", "home-rf", (600.0, "motion", "still")), hours=12, fold=fold) for fold in (False, True)
    ]
    whole, folded = map(run_home, specs)
    assert folded.heartbeats_folded > 100 * folded.heartbeats_sent
    assert folded.refused == whole.refused == {}
    ratio = (folded.heartbeats_sent + folded.heartbeats_folded) / whole.heartbeats_sent
    assert 0.97 < ratio < 1.03
    assert folded.records == whole.records


def test_tags_of_one_home_are_folded_each_by_itself():
    tags = [
        tag("7a900001", "home-rf", (7200.0, "cut_strap", True)),
        tag("7a900002", "home-rf", (9000.0, "motion", "sleep")),
    ]
    whole, folded = (run_home(home(*tags, hours=6, fold=fold)) for fold in (False, True))
    assert folded.records == whole.records
    assert Counter(told[::2] for told in folded.alerts) == Counter(told[::2] for told in whole.alerts)
    assert folded.heartbeats_folded > 5 * folded.heartbeats_sent


@example([(4000, 500)], 5, 0, 0, 0, False, [100, 3, 900])  # it never ends
@example([(4000, 500)] * 2 + [(500, 500)] * 5, 0, 0, 0, 0, False, [900])  # nor does this, and rests in some windows
@given(
    st.lists(st.sampled_from([(0, 0), (0, 0), (40, 0), (500, 40), (900, 0), (4000, 500)]), min_size=1, max_size=7),
    st.sampled_from([0, 0, 5, 58, 61]),
    st.integers(0, 9),
    st.one_of(st.just(0), st.integers(10, 700), st.sampled_from([10, 20, 60, 300, 600])),
    st.integers(0, 9),
    st.booleans(),
    st.lists(st.one_of(st.integers(1, 900), st.integers(2000, 4000)), min_size=1, max_size=12),
)
def test_motion_is_walked_as_it_is_fed(between, rested, moves_s, period_s, phase, armed, strides):
    """Whatever is moved: where the walk goes on, the detector would have told nothing, and stands where the walk says."""
    vectors = tuple([one, 0, 0, other, 0, 0] for one, other in between)
    travels = tuple(abs(one[3] - one[0]) for one in vectors)
    activity = Activity(vectors, travels, min(moves_s, period_s), period_s)
    told, config, situation = [], Config({"rest_told_s": 900}), Situation()
    situation.armed = armed
    motion = Motion(config, situation, lambda code, now, detail: told.append((code, now)))
    for second in range(rested * 10):  # before the movement begins
        motion.feed(second * 1000, [], 0)
    second = rested * 10
    for stride in strides:
        for _ in range(phase):  # fed, as outside of a fold
            _feed(motion, activity, second)
            second += 1
        fold = MotionFold(motion, activity, second)
        stopped = fold.walk(second + stride)
        twin_told, (twin, twin_situation) = [], _copy(motion, config, situation)
        twin._tell = lambda code, now, detail, told=twin_told: told.append(code)
        moved = []
        for at in range(second, stopped):
            _feed(twin, activity, at)
            moved.append(twin_situation.moving)
        assert [bool(fold.moving_at(at)) for at in range(second, stopped)] == [bool(one) for one in moved]
        fold.settle()
        assert twin_told == []
        assert _state(motion, situation) == _state(twin, twin_situation)
        second = stopped


def _feed(motion, activity, second):
    vectors = activity.at(second)
    motion.feed(second * 1000, vectors, len(vectors) // 3)


def _copy(motion, config, situation):
    twin_situation = Situation()
    vars(twin_situation).update(vars(situation))
    twin = Motion(config, twin_situation, None)
    vars(twin).update({name: value for name, value in vars(motion).items() if name not in ("_situation", "_tell")})
    return twin, twin_situation


def _state(motion, situation):
    held = {
        name: value
        for name, value in vars(motion).items()
        if name in ("_x", "due", "_travelled", "_still", "_told", "_told_at")
    }
    return held, situation.moving, situation.resting


@pytest.mark.parametrize("profile", ["two-piece", "one-piece"])
def test_who_is_away_with_a_receiver_is_folded_between_positions(profile):
    life = [(1200.0, "go", (*TOWN, 300.0))]
    often = {"beacon_period_s": 1800}
    whole, folded = (
        run_home(home(tag("7a900001", profile, *life, settings=often), hours=1.6, fold=fold)) for fold in (False, True)
    )
    assert whole.records["fix"] > 15
    assert abs(folded.records["fix"] - whole.records["fix"]) <= 4
    assert folded.heartbeats_folded > 2 * folded.heartbeats_sent


def test_a_building_is_folded_though_somebody_in_it_walks_and_silence_in_it_is_no_jamming():
    tags = [tag(f"7a90000{n}", "facility", (600.0, "motion", "sleep")) for n in range(1, 4)]
    tags.append(tag("7a900004", "facility", *((600.0 + 40 * n, "limb", "warm") for n in range(100))))
    whole, folded = (run_home(home(*tags, hours=1.5, fold=fold)) for fold in (False, True))
    assert folded.records == whole.records
    assert folded.alerts == whole.alerts == ()
    assert folded.heartbeats_folded > folded.heartbeats_sent
    assert folded.refused == whole.refused


def test_an_order_that_comes_amid_a_fold_is_obeyed_at_once():
    curfew = {"weekly": [{"window": "may_leave", "between": "09:00-12:00"}]}
    tags = [tag("7a900001", "two-piece", (600.0, "motion", "still"), (7000.0, "curfew", curfew))]
    (whole, _), (folded, _) = (log_of(home(*tags, hours=2.5, fold=fold)) for fold in (False, True))
    about = ("7a900001", "record")
    assert [name for _, name in folded[about]] == [name for _, name in whole[about]]
    assert "applied" in [name for _, name in folded[about]]


def delays_of(log, *names):
    """From when these records were made until the centre had them, s."""
    return [entry[0] - entry[4] for entry in log if entry[3] in names]


def observed(spec):
    agenda = Agenda()
    house = Home(spec, agenda)
    observer = Observer(house)
    agenda.run(round(spec.hours * 3_600_000))
    return observer, house


def test_what_a_sleeper_tells_is_fetched_as_soon_as_in_a_night_that_was_lived_through():
    night = [(600.0, "motion", "sleep")]
    homes = [observed(home(tag("7a900001", "home-rf", *night), hours=15, fold=fold)) for fold in (False, True)]
    for names, apart_s in ((("resting", "moving"), 0.7), (("beacon",), 6.0)):
        lived, folded = (delays_of(observer.log, *names) for observer, _ in homes)
        assert len(lived) == len(folded) >= 3
        assert abs(sum(lived) / len(lived) - sum(folded) / len(folded)) < apart_s
    assert homes[1][1].units[0].heartbeats < 12 < homes[0][1].units[0].heartbeats / 500


def test_a_call_whose_receipt_does_not_come_wakes_the_tag_which_tells_by_itself():
    """The line breaks when the limb's word has been told and before it is fetched: at the instigation of another tag's life."""
    sleeper = tag("7a900001", "home-rf", (600.0, "motion", "sleep"))
    told_s = delays_and_moments(home(sleeper, hours=1, fold=True))["resting"]
    beside = tag("7a900002", "facility", (told_s + 0.3, "gateway_line", False), (told_s + 900.0, "gateway_line", True))
    whole, folded = (observed(home(sleeper, beside, hours=1.2, fold=fold)) for fold in (False, True))
    for observer, house in (whole, folded):
        (delay_s,) = delays_of([entry for entry in observer.log if entry[1] == "7a900001"], "resting")
        assert 899 < delay_s < 1000
        assert len(house.units[0].tag.journal) == 0
    assert folded[1].units[0].heartbeats > 140
    assert folded[0].records == whole[0].records


def test_a_tag_that_is_woken_before_its_call_tells_by_itself_and_at_once():
    spec = home(tag("7a900001", "home-rf", (600.0, "motion", "sleep")), hours=0.5, fold=True)
    told_s = delays_and_moments(spec)["resting"]
    agenda = Agenda()
    house = Home(spec, agenda)
    observer = Observer(house)
    agenda.at(round(told_s * 1000) + 300, lambda _: house.units[0].unfold())
    agenda.run(1_800_000)
    assert [delay_s for delay_s in delays_of(observer.log, "resting") if delay_s > 4.5] == []
    assert observer.records["resting"] == 1
    assert house.centre.ledger.duplicates == 0


@given(st.sampled_from(["sleep", "awake"]), st.integers(1500, 9000))
@settings(max_examples=LIVES * 3)
def test_in_whatever_moment_it_is_woken_a_tag_knows_what_its_limb_has_done(name, second):
    stood = []
    for fold in (False, True):
        agenda = Agenda()
        house = Home(home(tag("7a900001", "home-rf", (600.0, "motion", name)), hours=3, fold=fold), agenda)
        agenda.at(second * 1000 + 37, wake_and_note, (house.units[0], stood))
        agenda.run(10_800_000)
    assert stood[0] == stood[1]


def wake_and_note(what):
    unit, stood = what
    unit.unfold()
    stood.append((_state(unit.tag.motion, unit.tag.situation), unit.sampler._second_at, unit.sampler._strap_at))


def delays_and_moments(spec):
    """By name: when the first record of that name was made."""
    observer, _ = observed(spec)
    return {entry[3]: entry[4] for entry in reversed(observer.log) if entry[3] in ("resting", "moving", "beacon")}


def test_who_waits_out_of_reach_for_home_is_folded_until_their_patience_ends():
    life = [(1200.0, "go", (*TOWN, 900.0))]
    whole, folded = (observed(home(tag("7a900001", "call-in", *life), hours=1, fold=fold)) for fold in (False, True))
    left = [
        [(entry[0], entry[5]) for entry in observer.log if entry[3] == "left_home"] for observer, _ in (whole, folded)
    ]
    assert [len(one) for one in left] == [1, 1]
    assert abs(left[0][0][0] - left[1][0][0]) <= BOUND_S
    assert left[0][0][1] - left[1][0][1] in range(-120, 121)
    assert folded[1].units[0].heartbeats < 60 < whole[1].units[0].heartbeats / 5
    assert 0.97 < heartbeats_of(folded[1]) / heartbeats_of(whole[1]) < 1.03


def heartbeats_of(house):
    """Built, and worked out."""
    return house.units[0].heartbeats + (0 if house.folder is None else house.folder.heartbeats)


def test_the_quick_heartbeats_of_who_asks_for_home_are_counted():
    life = [(1200.0, "shelter", "foil")]
    for until_s in (1215, 1510):
        homes = [observed(home(tag("7a900001", "call-in", *life), hours=until_s / 3600, fold=f)) for f in (False, True)]
        whole, folded = (heartbeats_of(house) for _, house in homes)
        assert abs(folded - whole) < 15
    assert homes[1][1].units[0].heartbeats < 15


@given(st.sampled_from(["walk", "sport", "sleep", "awake"]), st.integers(0, 400), st.integers(1, 40))
def test_how_far_a_limb_travels_is_known_as_the_detector_adds_it_up(name, second, seconds):
    travels = []
    for is_known in (False, True):
        motion, moved = Motion(Config(), Situation(), None), activity(name)
        wearer = SimpleNamespace(moves=partial(activity, name), now_s=0.0)
        travel = KnownTravel(SimpleNamespace(tag=SimpleNamespace(motion=motion), wearer=wearer)).travel
        added = []
        for at in range(second, second + seconds):
            wearer.now_s = float(at)
            vectors = moved.at(at)
            if vectors:
                added.append((travel if is_known else motion._travel)(vectors, len(vectors) // 3))
        travels.append((added, motion._x, motion._y, motion._z))
    assert travels[0] == travels[1]
