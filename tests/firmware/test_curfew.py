"""Curfews on the tag: what its bytes say at each second, held against zoneinfo; and what it tells of them, with and without the time."""

from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import TagPair
from real_micropython import run_on_micropython
from strapline_centre.schedule import Schedule
from strapline_protocol.codes import Window
from strapline_protocol.curfews import CHANGES_LIMIT, Once, Weekly, zone_changes
from strapline_protocol.definitions import Kind
from strapline_protocol.document_rules import checked
from strapline_tag import curfew
from strapline_wire import documents, frames
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

BERLIN = ZoneInfo("Europe/Berlin")
# Both ways of the clocks, half hours (Lord Howe: a change of 30 min), quarter hours, none, across the day's line, and as far ahead as a
# clock can be (14 h).
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
START_S = 1_772_480_000
"""2026-03-02 19:33:20 UTC, a Monday: 20:33:20 in Berlin."""

minutes = st.builds(time, st.integers(0, 23), st.integers(0, 59))
weeklies = st.builds(Weekly, st.sampled_from(Window), st.integers(0, 6), minutes, minutes)
moments = st.integers(0, 5 * 365 * 86400).map(lambda s: SINCE + timedelta(seconds=s))


@st.composite
def onces(draw):
    begins = draw(moments)
    return Once(draw(st.sampled_from(Window)), begins, begins + timedelta(seconds=draw(st.integers(1, 10 * 86400))))


def document(schedule, revision=1):
    return documents.pack_curfew(checked(Kind.CURFEW, (revision, *schedule.curfew(SINCE))))


def edges(schedule):
    """Seconds at which something may change: those of the zone, of each window near them, of leap days."""
    changes = [at for at, _ in schedule.curfew(SINCE).changes]
    days = [int(datetime(y, 2, 28, 12, tzinfo=UTC).timestamp()) + k * 43200 for y in (2026, 2028) for k in range(4)]
    onces_at = [int(moment.timestamp()) for once in schedule.once for moment in once[1:]]
    return changes[1:] + days + onces_at


@settings(deadline=None, max_examples=60)
@given(
    zone=st.sampled_from(ZONES),
    weekly=st.lists(weeklies, max_size=6),
    once=st.lists(onces(), max_size=4),
    data=st.data(),
)
def test_the_bytes_say_what_the_calendar_says_at_every_second(zone, weekly, once, data):
    schedule = Schedule(ZoneInfo(zone), (), tuple(weekly), tuple(once))
    packed = document(schedule)
    near = data.draw(st.lists(st.sampled_from([*edges(schedule), START_S]), min_size=3, max_size=6))
    for base in near:
        for off in (-1, 0, data.draw(st.integers(-90_000, 90_000))):
            utc_s = max(base + off, int(SINCE.timestamp()))
            rule, until = curfew.rule_at(packed, utc_s)
            assert rule == schedule.rule_at(datetime.fromtimestamp(utc_s, UTC)), datetime.fromtimestamp(utc_s, UTC)
            assert until > utc_s
            # Nothing changes before the second that it names.
            for later in (until - 1, data.draw(st.integers(utc_s, until - 1))):
                assert curfew.rule_at(packed, later)[0] == rule
                assert schedule.rule_at(datetime.fromtimestamp(later, UTC)) == rule


@pytest.mark.parametrize("zone", ZONES)
def test_each_minute_of_the_days_on_which_clocks_change_and_of_a_leap_day(zone):
    schedule = Schedule(
        ZoneInfo(zone),
        (),
        (
            Weekly(Window.MAY_LEAVE, 6, time(1, 30), time(2, 30)),  # in the hour that comes twice or never
            Weekly(Window.MAY_LEAVE, 5, time(22, 0), time(6, 0)),  # through that night
            Weekly(Window.MUST_LEAVE, 6, time(3, 0), time(3, 0)),  # 24 hours
            Weekly(Window.STAY_HOME, 1, time(0, 0), time(0, 1)),
        ),
    )
    packed = document(schedule)
    days = [at for at, _ in schedule.curfew(SINCE).changes[1:3]] + [int(datetime(2028, 2, 29, tzinfo=UTC).timestamp())]
    for day in days:
        for utc_s in range(day - 86400, day + 86400, 60):
            expected = schedule.rule_at(datetime.fromtimestamp(utc_s, UTC))
            assert curfew.rule_at(packed, utc_s)[0] == expected, datetime.fromtimestamp(utc_s, UTC)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu"])
def test_the_changes_of_a_zone_are_those_of_the_calendar_to_the_second(zone):
    known = ZoneInfo(zone)
    until = SINCE + timedelta(days=365 * 5)
    changes = zone_changes(known, SINCE, until)
    for (at, offset), (_, before) in zip(changes[1:], changes, strict=False):
        assert offset != before
        for second, expected in ((at, offset), (at - 1, before)):
            told = datetime.fromtimestamp(second, known).utcoffset()
            assert told == timedelta(minutes=expected)
    wanted = sum(
        (SINCE + timedelta(hours=h)).astimezone(known).utcoffset()
        != (SINCE + timedelta(hours=h + 1)).astimezone(known).utcoffset()
        for h in range(5 * 365 * 24)
    )
    assert len(changes) == 1 + wanted


def test_more_changes_than_a_document_holds_are_refused_by_the_zones_name():
    with pytest.raises(LocalProtocolError, match="Europe/Berlin changes 20 times"):
        zone_changes(BERLIN, SINCE, SINCE + timedelta(days=3653))
    assert len(zone_changes(BERLIN, SINCE, SINCE + timedelta(days=2650))) <= CHANGES_LIMIT


# Hostile and newer documents.


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_tag_takes_what_the_generated_codec_takes_and_nothing_that_breaks_a_rule(data):
    schedule = Schedule(
        BERLIN, (), tuple(data.draw(st.lists(weeklies, max_size=3))), tuple(data.draw(st.lists(onces(), max_size=2)))
    )
    packed = bytearray(document(schedule))
    for _ in range(data.draw(st.integers(0, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    packed = bytes(packed[: data.draw(st.integers(0, len(packed)))] if data.draw(st.booleans()) else packed)
    try:
        checked(Kind.CURFEW, documents.unpack_curfew(packed))
        well = True
    except (RemoteProtocolError, LocalProtocolError):
        well = False
    try:
        curfew.rule_at(packed, 0)
        taken = True
    except RemoteProtocolError:
        taken = False
    assert taken == well
    if taken:  # the same at any second
        assert curfew.rule_at(packed, START_S)[1] > START_S


# On the whole tag, which starts at START_S.


def send(pair, *weekly, once=(), revision=1):
    schedule = Schedule(BERLIN, (), weekly, once)
    pair.command(pair.centre.seal(frames.CURFEW, document(schedule, revision)))


def at_home(config=None, *, telling_time=True):
    pair = TagPair(config)
    pair.centre.utc_at_start_s = START_S
    pair.telling_time = telling_time
    pair.arm()
    pair.connect()
    return pair


EVENING = Weekly(Window.MAY_LEAVE, 0, time(20, 0), time(21, 0))


def test_leaving_in_a_window_is_allowed_and_staying_away_after_it_is_not_until_the_return():
    pair = at_home()
    send(pair, EVENING)
    pair.disconnect()
    pair.run(400)
    assert pair.names().count("left_home") == 1
    assert not pair.tag.situation.curfew_broken
    pair.run_to(1_600_000 + 299_999)  # the window ends at 21:00:00, 1600 s after the start
    assert not pair.tag.situation.curfew_broken
    pair.run_to(1_600_000 + 300_000)
    assert pair.tag.situation.violation
    pair.run(60)
    assert pair.times("curfew_broken") == [1_900_000]
    pair.visit()
    assert not pair.tag.situation.curfew_broken
    assert [r.body.detail for r in pair.unique() if r.name in ("curfew_broken", "curfew_kept")] == [1, 1]


def test_leaving_outside_every_window_is_broken_at_once_and_home_hours_are_told():
    pair = at_home()
    send(pair)
    assert pair.tag.situation.home_hours
    pair.disconnect()
    pair.run(301)
    assert pair.times("curfew_broken") == pair.times("left_home")


def test_who_must_be_out_and_is_at_home_breaks_it_after_the_grace():
    pair = at_home()
    send(pair, Weekly(Window.MUST_LEAVE, 0, time(20, 30), time(22, 0)), revision=9)
    pair.stay_home(600)
    pair.visit()
    [broken] = [r for r in pair.unique() if r.name == "curfew_broken"]
    assert broken.body.detail == 9
    assert pair.times("curfew_broken") == [100_000]  # 20:30 and five minutes
    pair.run(600)
    pair.visit()
    assert pair.names().count("curfew_kept") == 1


def test_a_one_off_window_goes_before_the_week():
    pair = at_home()
    now = datetime.fromtimestamp(START_S, UTC)
    send(pair, EVENING, once=[Once(Window.STAY_HOME, now, now + timedelta(hours=3))])
    pair.disconnect()
    pair.run(700)
    assert "curfew_broken" in pair.names()


def test_without_trusted_time_it_says_so_tells_bare_leaving_and_decides_nothing():
    pair = at_home(telling_time=False)
    send(pair)
    pair.disconnect()
    pair.run(1000)
    pair.visit()
    told = [name for name in pair.names() if name not in ("started", "armed", "no_fix")]
    assert told == ["applied", "left_home", "clock_untrusted", "came_home"]
    assert not pair.tag.situation.home_hours
    pair.telling_time = True
    pair.visit()
    assert pair.names()[-1] == "clock_trusted"
    assert pair.tag.situation.home_hours


def test_a_document_that_comes_again_is_applied_again_and_an_older_or_another_of_its_number_is_refused():
    pair = at_home()
    send(pair, EVENING, revision=5)
    send(pair, EVENING, revision=5)
    send(pair, revision=5)
    send(pair, revision=4)
    send(pair, revision=6)
    told = [(r.name, r.body.detail) for r in pair.unique() if r.name in ("applied", "command_refused")]
    refused = ("command_refused", frames.CURFEW << 8 | frames.REFUSAL_OLD_REVISION)
    applied = [("applied", frames.CURFEW << 24 | n) for n in (5, 5, 6)]
    assert told == [applied[0], applied[1], refused, refused, applied[2]]


def test_who_is_at_home_against_it_is_not_told_of_again_after_a_reboot():
    pair = at_home()
    send(pair, Weekly(Window.MUST_LEAVE, 0, time(20, 30), time(22, 0)), revision=9)
    pair.stay_home(600)
    pair.visit()
    assert pair.names().count("curfew_broken") == 1
    again = TagPair(memory=pair.memory, seed="again")
    again.centre.utc_at_start_s = START_S + 600
    again.stay_home(600)
    again.visit()
    assert again.tag.situation.curfew_broken
    assert "curfew_broken" not in again.names()


def test_it_outlives_a_reboot_and_is_judged_again_once_the_time_is_known():
    pair = at_home()
    send(pair)
    again = TagPair(memory=pair.memory, seed="again")
    again.centre.number = pair.centre.number
    again.telling_time = False
    again.run(400)
    assert again.tag.away
    assert not again.tag.situation.curfew_broken  # nobody has told it the time
    again.telling_time = True
    again.connect(home=False)  # any gateway brings it
    assert again.tag.situation.curfew_broken
    assert "curfew_broken" in again.names()


@pytest.mark.parametrize("body", [b"", bytes(4), bytes(6), document(Schedule(BERLIN, (), (EVENING,)))[:-1]])
def test_a_document_that_is_cut_short_changes_nothing(body):
    pair = at_home()
    send(pair, EVENING)
    before = dict(pair.memory.held)
    pair.command(pair.centre.seal(frames.CURFEW, body))
    assert pair.memory.held["curfew"] == before["curfew"]
    assert pair.names()[-1] == "command_refused"


ON_A_BOARD = """
import sys
sys.path.append({path!r})
from strapline_tag import curfew
packed = bytes.fromhex({packed!r})
for utc_s in {seconds!r}:
    print(*curfew.rule_at(packed, utc_s))
"""


def test_real_micropython_reads_the_same_out_of_the_bytes():
    schedule = Schedule(BERLIN, (), (EVENING, Weekly(Window.MUST_LEAVE, 6, time(1, 30), time(2, 30))))
    packed = document(schedule)
    seconds = [at + off for at, _ in schedule.curfew(SINCE).changes for off in (-1, 0, 1, 3601)] + [
        2**31 - 1,
        2**32 - 1,
    ]
    path = str(Path(str(files("strapline_tag"))).parent)
    said = run_on_micropython(ON_A_BOARD.format(path=path, packed=packed.hex(), seconds=seconds))
    assert said == ["{} {}".format(*curfew.rule_at(packed, utc_s)) for utc_s in seconds]
