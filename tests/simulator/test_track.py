"""Recorded tracks: read in the forms that recorders write, mended where that is honest, refused with the line where it is not."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.tracks import tracked
from strapline_simulator.world.track import CATCH_UP_M_S, FASTEST_M_S, at_home, cut, home_of, read_track
from strapline_simulator.world.wearer import Itinerary, Point, distance_m

METRE_DEG = 1 / 111195
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def csv_of(tmp_path, rows, header="time_utc,lat_deg,lon_deg", name="track.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def walk(seconds, metres_north=0.0):
    """A row so long after the start, so far north of the equator."""
    moment = datetime.fromtimestamp(START.timestamp() + seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ},{metres_north * METRE_DEG:.7f},10.0"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("time_utc,lat_deg,lon_deg", "2026-03-02T08:00:{0:02}Z,53.2,10.4"),
        ("time,lat,lon", "2026-03-02 08:00:{0:02}+00:00,53.2,10.4"),
        ("Time;Latitude;Longitude;Speed", "2026-03-02T09:00:{0:02}+01:00;53.2;10.4;1.2"),
        ("id\ttimestamp\tlng\tlat", "7\t2026-03-02T08:00:{0:02}\t10.4\t53.2"),
        ("time,lat,lon", "17724384{0:02},53.2,10.4"),
        ("time,lat,lon", "17724384{0:02}000,53.2,10.4"),
    ],
)
def test_the_forms_in_which_recorders_write_csv(tmp_path, header, row):
    path = csv_of(tmp_path, [row.format(0), row.format(20)], header)
    track = read_track(path)
    assert track.first_utc == START
    assert track.points == ((0.0, Point(53.2, 10.4)), (20.0, Point(53.2, 10.4)))
    assert track.mended == ()


GPX = """<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{0}</trkseg></trk></gpx>"""


def test_gpx_gives_the_same_track_as_csv(tmp_path):
    rows = [walk(10 * n, 12 * n) for n in range(30)]
    points = [row.split(",") for row in rows]
    gpx = tmp_path / "track.gpx"
    gpx.write_text(GPX.format("".join(f'<trkpt lat="{b}" lon="{c}"><time>{a}</time></trkpt>' for a, b, c in points)))
    assert read_track(gpx) == read_track(csv_of(tmp_path, rows))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.csv", "time_utc,lat_deg\n", ":1: no column lon_deg"),
        ("t.csv", "time_utc,lat_deg,lon_deg\nyesterday,1,2\n", "line 2: 'yesterday' is no time"),
        (
            "t.csv",
            "time_utc,lat_deg,lon_deg\n2026-03-02T08:00:00Z,1,2\n2026-03-02T08:00:09Z,1\n",
            "line 3: '1', '' are no degrees",
        ),
        ("t.csv", "time_utc,lat_deg,lon_deg\n2026-03-02T08:00:00Z,91,2\n", "line 2: 91, 2 is no place on earth"),
        ("t.csv", "time_utc,lat_deg,lon_deg\n2026-03-02T08:00:00Z,nan,2\n", "is no place on earth"),
        ("t.csv", "time_utc,lat_deg,lon_deg\n2026-03-02T08:00:00Z,1,2\n", "1 points with a time"),
        ("t.csv", "", "no column time_utc"),
        ("t.gpx", "<gpx><trk>", "not GPX"),
        ("t.gpx", GPX.format('<trkpt lat="1" lon="2"></trkpt>'), "point 1 has no time"),
        ("t.plt", "x", "ending in .csv or .gpx"),
    ],
)
def test_what_cannot_be_mended_is_one_line_with_its_place(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        read_track(tmp_path / name)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_track(tmp_path / "none.csv")


def test_what_is_out_of_order_is_sorted_and_told(tmp_path):
    rows = [walk(0), walk(20, 20), walk(10, 10), walk(30, 30), walk(30, 30)]
    track = read_track(csv_of(tmp_path, rows))
    assert [t for t, _ in track.points] == [0, 10, 20, 30]
    assert track.mended == (
        "sorted by time: 1 points are older than the one before, first line 4",
        "left out: 1 points of a second that had one already, first line 6",
    )


def test_a_leap_that_nobody_can_make_is_left_out_and_told(tmp_path):
    rows = [walk(0), walk(10, 10), walk(20, 90_000), walk(30, 30)]
    track = read_track(csv_of(tmp_path, rows))
    assert [t for t, _ in track.points] == [0, 10, 30]
    assert track.mended == (f"left out: 1 leaps faster than {FASTEST_M_S:.0f} m/s, first line 4",)


def test_a_leap_from_which_nobody_returns_is_refused_with_its_line(tmp_path):
    rows = [*(walk(10 * n, 10 * n) for n in range(5)), *(walk(50 + n, 900_000) for n in range(60))]
    with pytest.raises(UserError, match=r"line 7: 900 km from line 6 faster than 300 m/s"):
        read_track(csv_of(tmp_path, rows))


def test_a_gap_is_held_until_the_wearer_must_go_on(tmp_path):
    track = read_track(csv_of(tmp_path, [walk(0), walk(10), walk(3610, 600), walk(3620, 600)]))
    assert track.mended == ("held: 1 gaps of over 120 s, the longest 3600 s after line 3",)
    path = Itinerary(load_scenario("strap-cut").places["home"])
    path.follow(100, track.points)
    assert distance_m(path.at(100 + 3500), Point(0.0, 10.0)) < 1
    assert distance_m(path.at(100 + 3610), Point(600 * METRE_DEG, 10.0)) < 1
    assert path.gait(100 + 3500) is None
    assert path.gait(100 + 3580) == "ride"
    assert path.speed_m_s(100 + 3580) == pytest.approx(CATCH_UP_M_S, rel=0.01)


@pytest.mark.parametrize(("m_s", "gait"), [(0.1, None), (1.4, "walk"), (3.0, "run"), (12.0, "ride")])
def test_how_the_limb_moves_follows_from_the_tracks_speed(tmp_path, m_s, gait):
    track = read_track(csv_of(tmp_path, [walk(10 * n, 10 * m_s * n) for n in range(10)]))
    path = Itinerary(load_scenario("strap-cut").places["home"])
    path.follow(0, track.points)
    assert path.gait(45) == gait


point_lists = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(-3000, 3000), st.integers(-3000, 3000)), min_size=2, max_size=60
)


@given(point_lists)
@settings(max_examples=60, deadline=None)
def test_whatever_was_mended_rises_in_time_and_can_be_walked(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("tracks") / "t.csv"
    rows = [f"{1772438400 + t},{north * METRE_DEG:.7f},{10 + east * METRE_DEG:.7f}" for t, north, east in raw]
    csv_of(path.parent, rows, "time,lat,lon", path.name)
    try:
        track = read_track(path)
    except UserError:
        assert len({t for t, _, _ in raw}) == 1 or max(t for t, _, _ in raw) - min(t for t, _, _ in raw) < 60
        return
    assert track.points[0][0] == 0
    assert track.points[-1][0] <= max(t for t, _, _ in raw) - min(t for t, _, _ in raw)
    for (t, a), (u, b) in pairwise(track.points):
        assert u > t
        assert distance_m(a, b) <= 1.01 * FASTEST_M_S * (u - t)


# Home.


def test_home_is_where_the_night_is_and_not_where_the_day_is_longest(tmp_path):
    rows = [walk(0), *(walk(600 * n, 5000) for n in range(1, 67)), walk(50_000), walk(60_000)]  # 09:00 to 20:00 out
    track = read_track(csv_of(tmp_path, rows))
    home, how = home_of(track, "Europe/Berlin")
    assert distance_m(home, Point(0.0, 10.0)) < 10
    assert how == "where it spends its nights"


def test_without_a_night_home_is_where_it_stays_longest_and_says_so(tmp_path):
    track = read_track(csv_of(tmp_path, [walk(0), walk(60), walk(7200, 2000), walk(7260, 2000)]))
    home, how = home_of(track, "Europe/Berlin")
    assert distance_m(home, Point(0.0, 10.0)) < 10
    assert "no night is in it" in how


def test_what_lies_around_home_is_at_home(tmp_path):
    home = Point(0.0, 10.0)
    track = at_home(read_track(csv_of(tmp_path, [walk(0), walk(10, 80), walk(20, 120)])), home, 100)
    assert [point == home for _, point in track.points] == [True, True, False]


def test_a_piece_begins_at_nothing(tmp_path):
    piece = cut(read_track(csv_of(tmp_path, [walk(10 * n, n) for n in range(10)])), 30, 60)
    assert [t for t, _ in piece.points] == [0, 10, 20, 30]
    assert piece.first_utc.timestamp() == START.timestamp() + 30
    with pytest.raises(UserError, match="that piece holds 0 points"):
        cut(piece, 1000, None)


# In a scenario.


def scenario_of(tmp_path, wearer, places="{}"):
    path = tmp_path / "own.yaml"
    path.write_text(
        f"title: t\nstart: 2026-03-02T07:30:00+01:00\nduration: 3h\nplaces: {places}\nwearer: {wearer}\n"
        "steps: [{at: 1min, present_key: arm}]\nexpect: [{missing: 0}]\n"
    )
    return load_scenario(str(path))


def test_a_track_stands_beside_the_scenario_and_gives_it_its_home(tmp_path):
    csv_of(tmp_path, [walk(0), walk(60), walk(7200, 2000), walk(7260, 2000)])
    scenario, track = tracked(scenario_of(tmp_path, "{track: track.csv}"), None)
    assert scenario.places["home"].lat_deg == pytest.approx(0, abs=1e-4)
    assert track.points[0][0] == 0


def test_a_track_can_keep_its_time_of_day(tmp_path):
    csv_of(tmp_path, [walk(0), walk(60)])  # 09:00 in Berlin, an hour and a half after the start
    _, track = tracked(scenario_of(tmp_path, "{track: {file: track.csv, shift: clock}}"), None)
    assert [t for t, _ in track.points] == [0, 5400, 5460]


def test_a_track_of_another_country_is_refused_where_home_is_given(tmp_path):
    csv_of(tmp_path, [walk(0), walk(60)])
    scenario = scenario_of(tmp_path, "{track: track.csv}", "{home: {lat_deg: 53, lon_deg: 10}}")
    with pytest.raises(UserError, match="never comes nearer to the scenario's home than 5893 km"):
        tracked(scenario, None)


def test_a_track_that_is_nowhere_is_told_with_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("STRAPLINE_DATA", raising=False)
    with pytest.raises(UserError, match=r"track none\.csv: no such file beside the scenario.*STRAPLINE_DATA"):
        tracked(scenario_of(tmp_path, "{track: none.csv}"), None)


def test_a_track_given_by_hand_goes_before_the_scenarios_and_lasts_to_its_end(tmp_path):
    rows = [walk(60 * n, 0 if n < 10 or n > 45 else 2000) for n in range(100)]
    given_track = csv_of(tmp_path, rows, name="mine.csv")
    result = run_scenario(load_scenario("track"), Options(body="model", air="frames", track=given_track))
    codes = [event.code for event in result.report.events]
    assert result.passed
    assert codes.count("left_home") == codes.count("came_home") == 1
    assert result.report.simulated_s == 99 * 60 + 60
    assert any("track mine: held" in text or "track mine: at home" in text for _, text in result.story.truths)


def test_the_shipped_track_is_our_own_and_whole():
    track = read_track(Path(__file__).parents[2] / "simulator/strapline_simulator/tracks/errand.csv")
    assert len(track.points) == 396
    assert track.mended == ("held: 1 gaps of over 120 s, the longest 2110 s after line 193",)
