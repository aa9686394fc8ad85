"""CONFIG: all of it takes effect or none, at once, over reboots; and which gateways are home."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import TagPair
from strapline_protocol.codes import RANGES, Setting
from strapline_tag.config import Config
from strapline_wire import documents, frames

HERE = 0x6A7E0001  # the id of the pair's gateway


def send(pair, revision, values=None, homes=()):
    rows = tuple((int(setting), value) for setting, value in (values or {}).items())
    body = documents.pack_config((revision, tuple((home,) for home in homes), rows))
    pair.command(pair.centre.seal(frames.CONFIG, body))


@pytest.fixture
def pair():
    pair = TagPair()
    pair.arm()
    pair.connect()
    return pair


def answers(pair):
    return [(r.name, r.body.detail) for r in pair.unique() if r.name in ("applied", "command_refused")]


def applied(revision):
    return ("applied", frames.CONFIG << 24 | revision)


def refused(reason):
    return ("command_refused", frames.CONFIG << 8 | reason)


def test_settings_take_effect_at_once_and_outlive_a_reboot(pair):
    send(pair, 1, {Setting.BEACON_PERIOD_S: 60, Setting.AWAY_FIX_S: 30})
    send(pair, 2, {Setting.AWAY_FIX_S: 45})
    assert answers(pair) == [applied(1), applied(2)]
    pair.run(200)
    assert pair.times("beacon") == [60_000, 120_000, 180_000]
    again = TagPair(memory=pair.memory, seed="again")
    assert (again.config.beacon_period_s, again.config.away_fix_s) == (60, 45)
    assert Config.away_fix_s == 180  # the defaults are everybody's


@pytest.mark.parametrize("setting", Setting)
def test_every_setting_is_taken_at_both_ends_of_its_range_and_refused_beyond(setting):
    pair = TagPair({"heartbeat_shortest_ms": 1000, "heartbeat_longest_ms": 10_000})
    pair.connect()
    span, name = RANGES[setting], setting.name.lower()
    tries = ((span.low - 1, False), (span.low, True), (span.high, True), (span.high + 1, False))
    for revision, (value, taken) in enumerate(tries, 1):
        before = getattr(pair.config, name)
        send(pair, revision, {setting: value})
        assert answers(pair)[-1] == (applied(revision) if taken else refused(frames.REFUSAL_OUT_OF_RANGE))
        assert getattr(pair.config, name) == (value if taken else before)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.integers(0, 80), st.integers(-10, 400), max_size=8), st.booleans())
def test_all_of_them_take_effect_or_none(values, reboot):
    pair = TagPair()
    pair.connect()
    names = {int(setting): setting.name.lower() for setting in Setting}
    before = {name: getattr(pair.config, name) for name in names.values()}
    fits = all(n in names and RANGES[Setting(n)].low <= v <= RANGES[Setting(n)].high for n, v in values.items())
    shortest = values.get(Setting.HEARTBEAT_SHORTEST_MS, Config.heartbeat_shortest_ms)
    fits = fits and shortest <= values.get(Setting.HEARTBEAT_LONGEST_MS, Config.heartbeat_longest_ms)
    send(pair, 1, values)
    if reboot:
        pair = TagPair(memory=pair.memory, seed="again")
    wanted = before | ({names[n]: v for n, v in values.items()} if fits else {})
    assert {name: getattr(pair.config, name) for name in names.values()} == wanted


def test_heartbeats_are_never_left_without_a_span(pair):
    send(pair, 1, {Setting.HEARTBEAT_LONGEST_MS: 1500})
    send(pair, 2, {Setting.HEARTBEAT_SHORTEST_MS: 2000})
    assert answers(pair) == [applied(1), refused(frames.REFUSAL_OUT_OF_RANGE)]
    pair.run(60)


def test_an_older_revision_is_refused_and_one_that_comes_again_is_applied_again(pair):
    send(pair, 5, {Setting.AWAY_FIX_S: 30})
    send(pair, 5, {Setting.AWAY_FIX_S: 30})
    send(pair, 5, {Setting.AWAY_FIX_S: 60})
    send(pair, 4, {Setting.AWAY_FIX_S: 90})
    old = refused(frames.REFUSAL_OLD_REVISION)
    assert answers(pair) == [applied(5), applied(5), old, old]
    assert pair.config.away_fix_s == 30


@pytest.mark.parametrize(
    "body", [b"", bytes(4), b"\x00\x00\x00\x01\x01\x00", b"\x00\x00\x00\x01\x00\x01", bytes(5) + b"\xff"]
)
def test_a_config_that_is_cut_short_changes_nothing(pair, body):
    pair.command(pair.centre.seal(frames.CONFIG, body))
    assert answers(pair)[-1][0] == "command_refused"
    assert "config" not in pair.memory.held


def test_what_other_firmware_has_kept_and_this_one_does_not_know_is_passed_over():
    first = TagPair()
    first.connect()
    send(first, 1, {Setting.AWAY_FIX_S: 30})
    kept = bytearray.fromhex(first.memory.held["config"])
    kept[5] = 2
    first.memory.held["config"] = (bytes(kept) + b"\x77\x77\x00\x00\x00\x01").hex()
    assert TagPair(memory=first.memory, seed="again").config.away_fix_s == 30


def test_a_gateway_that_is_not_among_the_homes_makes_no_home(pair):
    send(pair, 1, homes=[HERE + 1])
    pair.stay_home(400)
    assert pair.tag.away
    send_away = TagPair()
    send_away.arm()
    send_away.connect()
    send(send_away, 1, homes=[HERE + 1, HERE])
    send_away.stay_home(400)
    assert not send_away.tag.away


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40))
def test_no_bytes_upset_it(data):
    pair = TagPair()
    pair.connect()
    pair.command(pair.centre.seal(frames.CONFIG, data))
    pair.run(20)
    TagPair(memory=pair.memory, seed="again").run(20)
