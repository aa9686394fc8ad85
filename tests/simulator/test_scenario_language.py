"""What a scenario file may say, and what it is told when it says something else."""

from textwrap import dedent

import pytest

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.scenario.quantities import seconds

GOOD = dedent(
    """\
    title: Good
    start: 2026-03-28T22:00:00+01:00
    zone: Europe/Berlin
    duration: day 2 06:00
    places:
      home: {lat_deg: 53.2, lon_deg: 10.4}
    steps:
      - {at: 1min, present_key: arm}
      - {at: day 2 04:00, name: cut, cut_strap: true}
    expect:
      - {event: strap_open, after: cut, within: 2s}
    """
)


def load(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return load_scenario(str(path))


def complaint(tmp_path, text):
    with pytest.raises(UserError) as told:
        load(tmp_path, text)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50ms", 0.05), ("2s", 2), ("1h 30min", 5400), ("1h30min", 5400), ("1.5h", 5400), ("2d", 172800)],
)
def test_durations(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "5", "5 parsecs", "-1s", "min", "1h oops", None, 5])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


def test_a_day_and_time_counts_from_local_midnight_over_the_change_to_summer_time(tmp_path):
    # On 29 March 2026 clocks in Berlin go from 02:00 to 03:00: from 22:00 to 04:00 are five hours.
    scenario = load(tmp_path, GOOD)
    assert scenario.step_time("cut") == 5 * 3600
    assert scenario.duration_s == 7 * 3600


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("zone: Europe/Berlin", "zone: Mars/Olympus", 3, "time zone"),
        ("start: 2026-03-28T22:00:00+01:00", "start: 2026-03-28T22:00:00", 2, "UTC offset"),
        ("present_key: arm", "present_key: open", 8, "arm"),
        ("cut_strap: true", "cut_strap: true, close_strap: true", 9, "exactly one verb"),
        ("event: strap_open", "event: strap_lost", 11, "strap_lost"),
        ("within: 2s", "within: soon", 11, "soon"),
        ("within: 2s", "detail: {closings: 2}", 11, "openings"),
        ("within: 2s", "detail: {openings: many}", 11, "a number"),
        ("within: 2s", "count: 1, at_least: 1", 11, "exclude each other"),
        ("event: strap_open, after: cut, within: 2s", "missing: 0, after: cut", 11, "takes no `after`: leave it out"),
        ("event: strap_open, after: cut, within: 2s", "never: removed, count: 1", 11, "after, within"),
        ("event: strap_open, after: cut, within: 2s", "alert: strap_opened", 11, "strap_open,"),
        ("event: strap_open, after: cut, within: 2s", "no_alert: all", 11, "no alert of the centre"),
        ("event: strap_open, after: cut, within: 2s", "told: boss", 11, "secondary"),
        ("cut_strap: true", "acknowledge: {alert: strap_open, by: boss, note: seen}", 9, "secondary"),
        ("cut_strap: true", "go: {to: shop, within: 5min}", 9, "shop"),
        ("title: Good", "title: Good\nquiet: true\nshows: [R56]", 3, "R55"),
        ("event: strap_open, after: cut, within: 2s", "alert: strap_open}\nquiet: true\nwearer: {", 11, "quiet"),
        ("after: cut,", "", 11, "within"),
        ("after: cut", "after: dinner", 11, "dinner"),
        ("at: day 2 04:00", "at: day 3 04:00", 9, "outside"),
        ("at: day 2 04:00", "at: day 2 25:00", 9, "day 2"),
        ("title: Good", "titel: Good", 1, "title"),
        ("lat_deg: 53.2", "lat_deg: 153.2", 6, "90"),
    ],
)
def test_a_mistake_is_told_with_its_line(old, new, line, word, tmp_path):
    assert old in GOOD
    told = complaint(tmp_path, GOOD.replace(old, new))
    assert f"s.yaml:{line}:" in told
    assert word in told


@pytest.mark.parametrize(
    "verb",
    [
        "strap_ohm: 600",
        "surroundings: sauna",
        "limb: cold",
        "case: open",
        "charger: true",
        "immerse: false",
        "battery: {percent: 14}",
        "battery: {drain_per_h: -40}",
        "motion: asleep",
        "motion: {recording: ankle-walking-64hz}",
    ],
)
def test_what_may_happen_to_the_limb_and_the_tag_on_it(verb, tmp_path):
    scenario = load(tmp_path, GOOD.replace("name: cut, cut_strap: true", f"name: cut, {verb}"))
    assert scenario.steps[1].verb == verb.partition(":")[0]


@pytest.mark.parametrize(
    "verb",
    [
        "strap_ohm: 10000",
        "strap_ohm: -1",
        "surroundings: moon",
        "limb: lukewarm",
        "case: ajar",
        "battery: {percent: 101}",
        "battery: 14",
        "motion: flies",
        "motion: {recording: ../secret}",
    ],
)
def test_what_may_not_is_told_with_its_line(verb, tmp_path):
    told = complaint(tmp_path, GOOD.replace("name: cut, cut_strap: true", f"name: cut, {verb}"))
    assert "s.yaml:9:" in told
    assert verb.partition(":")[0] in told


def test_a_duplicate_key_is_told_with_its_line(tmp_path):
    assert "s.yaml:2:" in complaint(tmp_path, "title: Good\ntitle: Good again\n")


def test_binary_garbage_is_told(tmp_path):
    (tmp_path / "s.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match=r"s\.yaml"):
        load_scenario(str(tmp_path / "s.yaml"))


def test_settings_of_the_tag_are_checked_by_name(tmp_path):
    assert load(tmp_path, GOOD + "tag: {beacon_period_s: 600}\n").tag == {"beacon_period_s": 600}
    assert "beacon_perod_s" in complaint(tmp_path, GOOD + "tag: {beacon_perod_s: 600}\n")


def test_every_shipped_scenario_loads_and_says_what_it_is_about():
    for name in shipped_scenarios():
        scenario = load_scenario(name)
        assert scenario.name == name
        assert scenario.about
