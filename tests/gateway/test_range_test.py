"""The guided range test: what the walk says of each spot, and the limit that follows."""

from random import Random

import pytest

from station_home import known_home
from strapline_gateway.presence import path_loss_dbm
from strapline_protocol.notices import Notice, NoticeCode


def stand(home, tag, name, metres, *, seconds=90, loss=0.05, is_home=True, fading_db=3):
    """Walk to a spot and stay."""
    draw = Random(name)
    home.station.begin_spot(tag.ident, name, home.now, is_home=is_home)
    end = home.now + seconds
    while home.now < end:
        home.wait(draw.uniform(1, 10))
        data = tag.heartbeat(home.now)
        if draw.random() >= loss:
            home.hear(data, rssi_dbm=round(path_loss_dbm(metres) + draw.gauss(0, fading_db)))
            home.station.call_failed(tag.ident, home.now)
    home.station.end_spot(tag.ident, home.now)
    home.wait(20)
    tag.counter += 3  # on the way


def test_a_walk_gives_classes_a_limit_and_the_dead_spot():
    home, tag = known_home()
    assert home.station.begin_range_test(tag.ident, home.now)
    stand(home, tag, "sofa", 5)
    stand(home, tag, "bed", 14)
    stand(home, tag, "cellar", 30, loss=0.9)
    stand(home, tag, "street", 70, is_home=False)
    home.take()
    report = home.station.end_range_test(tag.ident, home.now)
    spots = {spot.name: spot for spot in report.spots}
    assert (spots["sofa"].range_class, spots["bed"].range_class) == ("11m", "23m")
    assert [name for name, spot in spots.items() if spot.is_dead] == ["cellar"]
    assert spots["sofa"].lost_percent < 20
    assert spots["bed"].weak_dbm - 8 <= report.proposed_reach_dbm < spots["bed"].weak_dbm
    assert any("cellar" in warning for warning in report.warnings)
    assert not any("street" in warning for warning in report.warnings)
    (told,) = [event for event in home.take() if isinstance(event, Notice)]
    assert told == Notice(
        NoticeCode.RANGE_TEST,
        tag.ident,
        {"spots": 4, "dead_spots": 1, "proposed_reach_dbm": report.proposed_reach_dbm},
    )


def test_a_spot_outside_that_would_count_as_home_is_warned_of():
    home, tag = known_home()
    home.station.begin_range_test(tag.ident, home.now)
    stand(home, tag, "far room", 22)
    stand(home, tag, "stairs", 10, is_home=False)
    assert any("stairs" in warning for warning in home.station.range_report(tag.ident).warnings)


def test_a_spot_left_too_early_is_not_sure():
    home, tag = known_home()
    home.station.begin_range_test(tag.ident, home.now)
    stand(home, tag, "hall", 4, seconds=10)
    (spot,) = home.station.range_report(tag.ident).spots
    assert not spot.is_sure
    assert not spot.is_dead


def test_a_spot_where_nothing_is_heard_is_dead_and_proposes_nothing():
    home, tag = known_home()
    home.station.begin_range_test(tag.ident, home.now)
    stand(home, tag, "bunker", 4, loss=1.0)
    report = home.station.range_report(tag.ident)
    (spot,) = report.spots
    assert (spot.samples, spot.is_dead, spot.median_dbm, report.proposed_reach_dbm) == (0, True, None, None)


def test_a_stranger_is_not_tested():
    home, _ = known_home()
    assert not home.station.begin_range_test("7a90ffff", home.now)
    with pytest.raises(KeyError):
        home.station.range_report("7a90ffff")
