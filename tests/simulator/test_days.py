"""A wearer's day and a house's daily failures become steps; places bring their shelter, and dead spots the network's level."""

import pytest

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import load_scenario
from strapline_simulator.scenario.days import played_steps
from strapline_simulator.simulation import Options, run_scenario

HEAD = """title: t
start: {start}
duration: {duration}
places:
  home: {{lat_deg: 53.2487, lon_deg: 10.4078}}
  work: {{lat_deg: 53.2320, lon_deg: 10.4420, radius_m: 80, shelter: car_park}}
{more}
steps: [{{at: 1min, present_key: arm}}]
expect: [{{missing: 0}}]
"""
MONDAY = "2026-03-02T06:00:00+01:00"


@pytest.fixture
def scenario(tmp_path):
    def make(more, *, start=MONDAY, duration="30h"):
        path = tmp_path / "own.yaml"
        path.write_text(HEAD.format(start=start, duration=duration, more=more))
        return load_scenario(str(path))

    return make


def told(scenario):
    return [(scenario.seconds_of(step.at), step.verb, step.argument) for step in played_steps(scenario)]


def test_the_part_that_holds_at_the_start_holds_from_the_start(scenario):
    own = scenario(
        'wearer: {day: [{at: "22:30", motion: asleep, surroundings: bed}, {at: "07:00", motion: awake}]}', duration="2h"
    )
    assert told(own) == [
        (0, "motion", "asleep"),
        (0, "surroundings", "bed"),
        (60, "present_key", "arm"),
        (3600, "motion", "awake"),
    ]


def test_who_goes_somewhere_is_there_when_the_way_is_over(scenario):
    own = scenario('wearer: {day: [{at: "07:30", go: work, within: 20min, by: ride, motion: sport}]}', duration="3h")
    after = [(at, verb) for at, verb, _ in told(own) if at > 60]
    assert after == [(5400, "motion"), (5400, "surroundings"), (5400, "go"), (6600, "motion")]
    journey = next(argument for _, verb, argument in told(own) if verb == "go")
    assert (journey.to, journey.within, journey.by) == ("work", 1200.0, "ride")


def test_who_is_at_home_at_the_start_does_not_go_to_work_in_the_past(scenario):
    own = scenario('wearer: {day: [{at: "05:00", go: work, motion: still}]}', duration="2h")
    assert told(own)[0] == (0, "motion", "still")
    assert "go" not in {verb for _, verb, _ in told(own)}


def test_a_part_comes_on_its_days_and_by_the_clock_on_the_wall(scenario):
    # From Friday to Monday, over the night in which the clocks go forward.
    own = scenario(
        'wearer: {day: [{at: "09:00", days: [sat, sun], motion: run}]}',
        start="2026-03-27T12:00:00+01:00",
        duration="70h",
    )
    assert [at / 3600 for at, verb, _ in told(own) if verb == "motion" and at] == [21, 44]


def test_mains_and_line_fail_daily(scenario):
    own = scenario('gateway: {mains_out: ["23:50-00:10"], line_out: ["02:00-02:01"]}')
    house = [(at / 60, verb, there) for at, verb, there in told(own) if verb.startswith("gateway")]
    assert house == [
        (1070, "gateway_mains", False),
        (1090, "gateway_mains", True),
        (1200, "gateway_line", False),
        (1201, "gateway_line", True),
    ]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('wearer: {day: [{at: "7", motion: run}]}', "'7' is no time of day: write 07:30"),
        ('wearer: {day: [{at: "07:30"}]}', "a part of a day says where the wearer goes"),
        ('wearer: {day: [{at: "07:30", go: nowhere}]}', "`go: nowhere` names no place: choose one of home, work"),
        ('wearer: {may_leave: ["08:00-08:00"]}', "is empty; write two different times"),
        ('gateway: {mains_out: ["02:00"]}', "'02:00' is no span: write two times of day"),
        ("cells: [{around: moon, radius_m: 5}]", "'moon' names no place"),
        ("cells: [{around: home, radius_m: 0}]", "greater than 0"),
    ],
)
def test_a_mistake_is_told_with_the_mend(scenario, more, says):
    with pytest.raises(UserError) as caught:
        scenario(more)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_windows_end_is_after_midnight_where_it_comes_before_its_beginning():
    own = load_scenario("story-night-shift")
    (window,) = own.wearer.windows
    assert (window.opens.hour, window.closes.hour) == (20, 6)


def test_a_place_brings_its_shelter_and_a_dead_spot_the_networks_level(tmp_path):
    path = tmp_path / "own.yaml"
    more = "wearer: {may_leave: ['06:00-20:00']}\ncells: [{around: home, radius_m: 400}]"
    path.write_text(
        HEAD.format(start=MONDAY, duration="100min", more=more).replace(
            "steps: [",
            "steps: [{at: 10min, go: {to: work, within: 20min}}, {at: 70min, go: {to: home, within: 20min}}, ",
        )
    )
    levels = []
    run = run_scenario(load_scenario(str(path)), Options(body="model", air="frames", watch=levels.append))
    assert run.passed
    # In the cellar of the workplace (no sky) the tag finds no position; on the way there it does.
    places = [position.t_s / 60 for position in run.report.positions]
    assert places
    assert all(15 < at < 30.5 or at > 69.5 for at in places)
