"""Zones against positions: the geometry against shapely, and the counting that tells jitter from leaving."""

import math
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from firmware.tag_pair import Memory
from strapline_protocol.commands import CommandSealer
from strapline_protocol.definitions import EventCode, Rule
from strapline_protocol.keys import centre_keys
from strapline_simulator.world.wearer import Point as Place
from strapline_simulator.world.wearer import distance_m
from strapline_tag.config import Config
from strapline_tag.situation import Situation
from strapline_tag.zones import Zones, cosine, distance
from strapline_wire import documents, frames

METRE_E7 = 89.93
"""1e-7 degree of latitude in a metre, on the sphere of 6,371,008.8 m."""

MARGIN = 0.006
"""The earth is no sphere and the tag's arithmetic equirectangular: distances are right to 0.6 %, and to 2 m."""

BERLIN = (525_200_000, 134_050_000)


class Judge:
    """Zones alone, with what they tell."""

    def __init__(self, *zones, memory=None, **config):
        self.told = []
        self.memory = memory or Memory()
        self.situation = Situation()
        self.zones = Zones(Config(config), self.situation, self.memory, self._tell)
        self.now = 0
        if zones:
            assert self.zones.obey(0, documents.pack_zones((1, zones))) == 0
            self.told.clear()

    def _tell(self, code, now, detail):
        self.told.append((EventCode(code).name.lower(), detail))

    def at(self, lat_e7, lon_e7, accuracy_dm=50):
        self.now += 15_000
        self.zones.judge(self.now, SimpleNamespace(lat_e7=lat_e7, lon_e7=lon_e7, accuracy_dm=accuracy_dm))
        return self.told

    def east(self, metres, accuracy_dm=50, of=BERLIN):
        """A position so far east of a place."""
        return self.at(of[0], of[1] + round(metres * METRE_E7 / math.cos(math.radians(of[0] / 1e7))), accuracy_dm)


def circle(radius_m=500, *, at=BERLIN, rule=Rule.STAY_IN, tolerance_m=0, zone=7):
    return (zone, rule, tolerance_m, radius_m, (at,))


def polygon(*corners, rule=Rule.STAY_IN, tolerance_m=0, zone=8):
    return (zone, rule, tolerance_m, 0, corners)


# Geometry.


@given(st.integers(-900_000_000, 900_000_000))
def test_the_cosine_is_right_to_one_in_ten_thousand(angle):
    assert cosine(angle) == pytest.approx(math.cos(math.radians(angle / 1e7)) * 16384, abs=2)


@given(
    st.integers(-700_000_000, 700_000_000),
    st.integers(-1_800_000_000, 1_800_000_000),
    st.floats(0, 2 * math.pi),
    st.floats(1, 50_000),
)
def test_distances_are_those_of_the_great_circle_also_across_the_antimeridian(lat, lon, bearing, metres):
    other_lat = lat + round(metres * METRE_E7 * math.cos(bearing))
    other_lon = lon + round(metres * METRE_E7 * math.sin(bearing) / math.cos(math.radians(lat / 1e7)))
    other_lon = (other_lon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000
    truth = distance_m(Place(lat / 1e7, lon / 1e7), Place(other_lat / 1e7, other_lon / 1e7))
    assert distance(lat, lon, other_lat, other_lon) / 90 == pytest.approx(truth, rel=MARGIN, abs=2)


def star(random, centre, corners, radius_m):
    """A polygon that need not be convex, around a centre."""
    scale = math.cos(math.radians(centre[0] / 1e7))
    turns = sorted(random.uniform(0, 2 * math.pi) for _ in range(corners))
    far = [random.uniform(0.2, 1) * radius_m * METRE_E7 for _ in turns]
    return [
        (centre[0] + round(r * math.sin(a)), centre[1] + round(r * math.cos(a) / scale))
        for r, a in zip(far, turns, strict=True)
    ]


def wrapped(lon):
    return (lon + 1_800_000_000) % 3_600_000_000 - 1_800_000_000


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lat=st.integers(-650_000_000, 650_000_000),
    lon=st.integers(-1_800_000_000, 1_800_000_000),
    corners=st.integers(3, 64),
    radius_m=st.sampled_from([50, 400, 3000, 20_000]),
    rule=st.sampled_from(list(Rule)),
    tolerance_m=st.sampled_from([0, 10, 300]),
)
def test_polygons_are_judged_as_shapely_does(seed, lat, lon, corners, radius_m, rule, tolerance_m):
    random = Random(seed)
    shape = star(random, (lat, lon), corners, radius_m)
    scale = math.cos(math.radians(lat / 1e7))
    flat = Polygon([((x - lon) * scale / METRE_E7, (y - lat) / METRE_E7) for y, x in shape])
    assume(flat.is_valid and flat.area > 1)
    zone = polygon(*((y, wrapped(x)) for y, x in shape), rule=rule, tolerance_m=tolerance_m)
    for _ in range(8):
        east, north = (random.uniform(-1.4, 1.4) * (radius_m + tolerance_m) for _ in "xy")
        beyond = flat.distance(Point(east, north)) or -flat.exterior.distance(Point(east, north))
        if abs(beyond - tolerance_m) < 2 + MARGIN * (radius_m + tolerance_m) * 2:
            continue  # so near the edge nothing is promised
        judge = Judge(zone, zone_points=1, zone_sure_m=20)
        judge.at(lat + round(north * METRE_E7), wrapped(lon + round(east * METRE_E7 / scale)), accuracy_dm=0)
        outside = beyond > tolerance_m
        expected = [("zone_broken", 8)] if outside == (rule == Rule.STAY_IN) else []
        assert judge.told == expected


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("tolerance_m", [0, 25])
def test_circles_with_their_tolerance(rule, tolerance_m):
    for metres in (0, 100, 480, 520, 540, 700, 300_000):
        judge = Judge(circle(500, rule=rule, tolerance_m=tolerance_m), zone_points=1)
        inside = metres <= 500 + tolerance_m
        expected = [] if inside == (rule == Rule.STAY_IN) else [("zone_broken", 7)]
        assert judge.east(metres, accuracy_dm=0) == expected


def test_a_tolerance_also_belongs_to_a_polygon():
    square = [(BERLIN[0] + y, BERLIN[1] + x) for y, x in ((0, 0), (0, 100_000), (100_000, 100_000), (100_000, 0))]
    assert Judge(polygon(*square), zone_points=1).east(-20, accuracy_dm=0) == [("zone_broken", 8)]
    assert Judge(polygon(*square, tolerance_m=30), zone_points=1).east(-20, accuracy_dm=0) == []


# Counting: R32.


def test_four_points_out_do_not_alarm_and_the_fifth_does():
    judge = Judge(circle())
    for _ in range(4):
        assert judge.east(530) == []
    assert judge.east(530) == [("zone_broken", 7)]
    assert judge.situation.zone_broken
    for _ in range(20):
        assert judge.east(530) == [("zone_broken", 7)]


def test_a_point_inside_ends_the_count():
    judge = Judge(circle())
    for _ in range(20):
        for _ in range(4):
            judge.east(530)
        judge.east(480)
    assert judge.told == []


def test_one_point_is_enough_where_its_accuracy_makes_it_certain():
    assert Judge(circle()).east(620, accuracy_dm=50) == [("zone_broken", 7)]
    assert Judge(circle()).east(620, accuracy_dm=500) == []  # within three times its accuracy
    assert Judge(circle()).east(590, accuracy_dm=10) == []  # nearer than what reflections between houses can make


@pytest.mark.parametrize("accuracy_dm", [0xFFFF, 3000])
def test_points_of_no_accuracy_alarm_only_far_out(accuracy_dm):
    judge = Judge(circle())
    for _ in range(20):
        judge.east(580, accuracy_dm=accuracy_dm)
    assert judge.told == []
    for _ in range(5):
        judge.east(2000, accuracy_dm=accuracy_dm)
    assert judge.told == [("zone_broken", 7)]


def test_points_within_their_own_accuracy_of_the_edge_neither_count_nor_end_the_count():
    judge = Judge(circle())
    for metres in (530, 530, 503, 497, 530, 498, 530, 502):
        assert judge.east(metres) == []
    assert judge.east(530) == [("zone_broken", 7)]


def test_a_zone_is_kept_again_by_the_same_count_and_then_can_be_broken_again():
    judge = Judge(circle())
    judge.east(1000)
    for _ in range(4):
        judge.east(470)
    assert judge.told == [("zone_broken", 7)]
    judge.east(470)
    assert judge.told[1:] == [("zone_kept", 7)]
    assert not judge.situation.zone_broken
    judge.east(1000)
    judge.east(0)
    assert [name for name, _ in judge.told] == ["zone_broken", "zone_kept", "zone_broken", "zone_kept"]


def test_home_keeps_every_zone():
    judge = Judge(circle(), circle(rule=Rule.STAY_OUT, at=(525_500_000, 134_050_000), zone=9))
    judge.at(525_500_000, 134_050_000)
    assert judge.told == [("zone_broken", 7), ("zone_broken", 9)]
    judge.zones.judge(judge.now)
    assert judge.told[2:] == [("zone_kept", 7), ("zone_kept", 9)]
    assert not judge.situation.zone_broken


def test_each_zone_counts_for_itself():
    judge = Judge(circle(zone=1), circle(1000, zone=2), polygon((0, 0), (0, 10), (10, 0), zone=3, rule=Rule.STAY_OUT))
    judge.east(2000)
    assert judge.told == [("zone_broken", 1), ("zone_broken", 2)]


# The error of a real receiver: R10, R32.


def walk(judge, random, metres, points, sigma_m, correlation=0.8):
    """Fixes with an error that a minute of correlation gives, along a line so far east of the centre; accuracy as HDOP tells it."""
    error = 0.0
    for _ in range(points):
        error = correlation * error + random.gauss(0, sigma_m * math.sqrt(1 - correlation**2))
        judge.east(metres + error, accuracy_dm=round(random.uniform(1, 1.6) * sigma_m * math.sqrt(2) * 10))


def test_walks_along_the_inside_of_an_edge_do_not_alarm():
    # 200 hours of fixes each minute, 90 % of them within 10 m, 5 m inside the edge.
    judge = Judge(circle())
    walk(judge, Random(1), 495, 12_000, 10 / 2.146)
    assert judge.told == []


def test_whoever_goes_15_m_too_far_is_found_and_almost_always_within_ten_points():
    found = []
    for seed in range(200):
        judge, random = Judge(circle()), Random(seed)
        points = 0
        while not judge.told and points < 60:
            walk(judge, random, 515, 1, 10 / 2.146)
            points += 1
        found.append(points)
    assert max(found) < 60
    assert sorted(found)[180] <= 10


# The document.


def sealed_body(*zones, revision=1):
    sealer = CommandSealer(centre_keys("7a900001", bytes(16)), 1)
    sealer.zones(revision, zones)  # refuses what a tag would refuse
    return documents.pack_zones((revision, zones))


def test_a_document_takes_effect_says_so_and_outlives_a_reboot():
    judge = Judge()
    assert judge.zones.obey(0, sealed_body(circle(), revision=0x01000002)) == 0
    assert judge.told == [("applied", frames.ZONES << 24 | 2)]
    again = Judge(memory=judge.memory)
    assert again.east(1000) == [("zone_broken", 7)]
    third = Judge(memory=judge.memory)
    assert third.situation.zone_broken
    assert third.east(1000) == []
    third.east(0)
    assert third.told == [("zone_kept", 7)]


def test_a_revision_only_rises():
    judge = Judge()
    assert judge.zones.obey(0, sealed_body(circle(), revision=300)) == 0
    assert judge.zones.obey(0, sealed_body(circle(), revision=300)) == 0  # the same, for whoever missed the answer
    for revision in (300, 299, 5):
        assert judge.zones.obey(0, sealed_body(revision=revision)) == frames.REFUSAL_OLD_REVISION
    assert judge.zones.obey(0, sealed_body(revision=301)) == 0
    judge.told.clear()
    assert judge.east(100_000) == []


def test_a_new_document_judges_anew():
    judge = Judge(circle())
    judge.east(1000)
    judge.zones.obey(0, sealed_body(circle(2000), revision=2))
    assert not judge.situation.zone_broken
    assert judge.east(1000)[-1] == ("applied", frames.ZONES << 24 | 2)


def test_the_largest_document_that_a_tag_takes_is_judged():
    zones = [
        polygon(*star(Random(i), (BERLIN[0] + i * 1_000_000, BERLIN[1]), 30, 2000), zone=i, rule=Rule.STAY_OUT)
        for i in range(32)
    ]
    assert 8000 < len(sealed_body(*zones)) <= documents.DOCUMENT_LIMIT
    judge = Judge(*zones)
    for i in range(32):
        judge.at(BERLIN[0] + i * 1_000_000, BERLIN[1])
    assert [zone for name, zone in judge.told if name == "zone_broken"] == [
        i for i in range(32) if Polygon(zones[i][4]).contains(Point(BERLIN[0] + i * 1_000_000, BERLIN[1]))
    ]


@pytest.mark.parametrize(
    "zone",
    [
        circle(at=(850_000_001, 0)),
        circle(at=(-850_000_001, 0)),
        (1, 2, 0, 500, (BERLIN,)),
        (1, 0, 0, 0, (BERLIN, (0, 0))),
        (1, 0, 0, 500, (BERLIN, (0, 0))),
    ],
)
def test_what_cannot_be_judged_is_refused(zone):
    judge = Judge(circle())
    assert judge.zones.obey(0, documents.pack_zones((2, (zone,)))) == frames.REFUSAL_OUT_OF_RANGE
    assert judge.east(1000) == [("zone_broken", 7)]  # the old one holds


def test_a_centre_makes_no_zone_near_a_pole():
    from strapline_wire.errors import LocalProtocolError

    with pytest.raises(LocalProtocolError, match=r"zones\[0\].vertices\[0\]"):
        sealed_body(circle(at=(850_000_001, 0)))


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_tag(body):
    judge = Judge()
    if judge.zones.obey(0, body) == 0:
        judge.at(*BERLIN)
    Judge(memory=Memory({"zones": body.hex()})).at(*BERLIN)


def test_a_document_that_is_cut_anywhere_is_refused():
    body = sealed_body(circle(), polygon(BERLIN, (0, 0), (0, 10)))
    for size in range(len(body)):
        assert Judge().zones.obey(0, body[:size]) == frames.REFUSAL_MALFORMED
