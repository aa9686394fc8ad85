"""The simulated world against what is known from elsewhere."""

import asyncio
import itertools
import math
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from strapline_simulator.clock import run_virtual
from strapline_simulator.scenario import Place
from strapline_simulator.world.battery import Cell, milli_volts
from strapline_simulator.world.heat import Heat
from strapline_simulator.world.limb import made_up, movement
from strapline_simulator.world.radio import RadioWorld
from strapline_simulator.world.sky import Receiver
from strapline_simulator.world.truth import Held, Truth, missing
from strapline_simulator.world.wearer import Itinerary, Point, distance_m
from strapline_tag.config import Config
from strapline_tag.nmea import NmeaParser

START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)


def test_distance_of_one_minute_of_latitude_is_a_nautical_mile():
    assert distance_m(Point(53.0, 10.0), Point(53.0 + 1 / 60, 10.0)) == pytest.approx(1852, rel=0.002)


def test_an_itinerary_stays_goes_evenly_and_can_be_broken_off():
    path = Itinerary(Place(lat_deg=0, lon_deg=0))
    path.go(100, Place(lat_deg=0, lon_deg=1), 100)
    assert path.at(50) == (0, 0)
    assert path.at(150) == (0, 0.5)
    assert path.at(500) == (0, 1)
    path.go(150, Place(lat_deg=1, lon_deg=0.5), 10)
    assert path.at(155) == (0.5, 0.5)
    assert path.at(500) == (1, 0.5)
    assert path.at(120) == (0, pytest.approx(0.2))


def test_a_tag_that_is_taken_off_takes_the_temperature_of_the_room():
    heat = Heat(ambient_c=20.0)
    assert 31 < heat.skin_c(0) < 34
    heat.take_off(1000)
    assert heat.skin_c(1000) > 31
    assert heat.skin_c(1000 + 240) == pytest.approx(20 + 12.2 / math.e, abs=0.5)
    assert heat.skin_c(1000 + 3600) == pytest.approx(20.0, abs=0.1)
    heat.put_on(1000 + 3600)
    assert heat.skin_c(5600) > 31


@pytest.mark.parametrize(
    ("name", "after_s", "skin", "ambient"),
    [
        ("room", 3600, (31, 33.5), (20.9, 21.1)),
        ("bed", 3600, (34, 36), (31.9, 32.1)),
        ("frost", 3600, (19, 23), (-10.1, -9.9)),
        ("bath", 900, (35.8, 36.8), (35.9, 36.1)),
        ("lake", 900, (8.5, 14), (7.9, 8.1)),
        ("sauna", 600, (38, 42), (98, 100.1)),
    ],
)
def test_skin_in_each_surroundings_is_as_warm_as_measured_on_people(name, after_s, skin, ambient):
    heat = Heat()
    heat.surround(100, name)
    assert skin[0] < heat.skin_c(100 + after_s) < skin[1]
    assert ambient[0] < heat.ambient_c(100 + after_s) < ambient[1]
    assert heat.wet == (name in ("bath", "lake"))


def test_a_limb_in_frost_cools_much_slower_than_a_tag_that_lies_there():
    worn, off = Heat(), Heat()
    for heat in (worn, off):
        heat.surround(0, "frost")
    off.take_off(0)
    for now in range(120, 900, 60):
        fallen = worn.skin_c(now) - worn.skin_c(now + 60)
        gap = worn.skin_c(now + 60) - worn.ambient_c(now + 60)
        assert fallen < 0.03 * gap
    gone = [off.skin_c(now) - off.skin_c(now + 60) for now in range(120, 600, 60)]
    assert all(fallen > 0.8 for fallen in gone)


def test_temperatures_do_not_depend_on_how_often_they_are_read():
    rare, often = Heat(), Heat()
    for heat in (rare, often):
        heat.surround(60, "sauna")
    for now in range(60, 1000, 10):
        often.skin_c(now)
    assert rare.skin_c(1000) == pytest.approx(often.skin_c(1000), abs=1e-9)


def test_a_cell_is_drained_and_charged_and_sags_in_the_cold():
    cell = Cell()
    cell.set(0, 50, drain_per_h=10)
    assert cell.percent(3600) == 40
    cell.set(3600, drain_per_h=-30)
    assert cell.percent(3600 + 7200) == 100
    volts = [milli_volts(percent, 25) for percent in range(101)]
    assert volts == sorted(volts)
    assert 2900 < volts[0] < 3100
    assert 4100 < volts[100] < 4200
    assert 40 < milli_volts(50, 25) - milli_volts(50, -20) < 150


def test_a_limb_that_walks_moves_and_one_that_is_still_says_nothing():
    steps = movement(100.0, 10)
    assert len(steps) == 250
    travelled = sum(sum(abs(a - b) for a, b in zip(one, two, strict=True)) for one, two in itertools.pairwise(steps))
    assert travelled > 2 * Config.moving_mg
    assert movement(100.0, 0) == []


def test_a_journey_is_under_way_between_its_ends_only():
    path = Itinerary(Place(lat_deg=0, lon_deg=0))
    path.go(100, Place(lat_deg=0, lon_deg=1), 100)
    assert [path.under_way(t) for t in (50, 100, 150, 199, 200, 500)] == [False, True, True, True, False, False]


def test_the_radio_fades_with_distance_and_ends():
    world = RadioWorld(Random(1))
    here = Point(53.0, 10.0)
    away = {"m": 0.0}
    world.place("home", lambda: here)
    world.place("tag", lambda: Point(53.0 + away["m"] / 111195, 10.0))
    means = []
    for metres in (1, 5, 20):
        away["m"] = metres
        means.append(sum(world.rssi_dbm("tag", "home") or -200 for _ in range(200)) / 200)
    assert means[0] > means[1] > means[2] > -96
    away["m"] = 200
    assert all(world.rssi_dbm("tag", "home") is None for _ in range(200))
    assert world.rssi_dbm("tag", "nobody") is None


def test_the_receiver_starts_cold_then_hot_and_its_sentences_give_its_place_back():
    heard = []

    async def main():
        loop = asyncio.get_running_loop()
        where = Point(-33.8567, 151.2152)  # south and east
        receiver = Receiver(
            lambda: START + timedelta(seconds=loop.time()),
            lambda: where,
            lambda data: heard.append((loop.time(), data)),
            Random(3),
        )
        receiver.power(True)
        await asyncio.sleep(40)
        receiver.power(False)
        await asyncio.sleep(60)
        assert heard[-1][0] <= 40
        receiver.power(True)
        await asyncio.sleep(5.5)
        receiver.power(False)

    run_virtual(main())
    parser = NmeaParser()
    fixes = []
    for at, data in heard:
        parser.feed(data)
        parser.flush()
        while (fix := parser.take()) is not None:
            fixes.append((at, fix))
    assert parser.broken == 0
    assert fixes[0][0] == 28.0
    assert min(at for at, _ in fixes if at > 60) == 102.0
    for at, fix in fixes:
        assert abs(fix.lat_e7 / 1e7 + 33.8567) < 0.0002
        assert abs(fix.lon_e7 / 1e7 - 151.2152) < 0.0002
        assert fix.utc_s == int(START.timestamp() + at)


def _truth(code, earliest, latest, due=0.0):
    return Truth(code, earliest, latest, "", due)


def test_a_truth_needs_a_record_of_its_kind_in_its_time():
    truths = [_truth("cut", 10, 11)]
    assert missing(truths, [Held("cut", 10.5)], 100) == []
    assert missing(truths, [Held("cut", 11.5)], 100) == truths
    assert missing(truths, [Held("tear", 10.5)], 100) == truths
    assert missing(truths, [], 100) == truths


def test_one_record_does_not_vouch_for_two_truths():
    truths = [_truth("cut", 0, 10), _truth("cut", 0, 10)]
    assert len(missing(truths, [Held("cut", 5)], 100)) == 1
    assert missing(truths, [Held("cut", 5), Held("cut", 6)], 100) == []


def test_a_wide_truth_does_not_take_the_record_of_a_narrow_one():
    truths = [_truth("cut", 0, 100), _truth("cut", 5, 6)]
    assert missing(truths, [Held("cut", 5.5), Held("cut", 50)], 100) == []


def test_what_is_not_due_yet_is_not_missing():
    assert missing([_truth("cut", 90, 91, due=120)], [], 100) == []


def settled(garment, surroundings="room", *, worn=True):
    heat = Heat()
    heat.surround(0, surroundings)
    heat.clothe(0, garment)
    if not worn:
        heat.take_off(0)
    return heat.skin_c(4 * 3600), heat.ambient_c(4 * 3600)


def test_the_more_lies_over_the_tag_the_nearer_both_sensors_come_to_the_blood():
    worn = [settled(garment) for garment in ("bare", "trousers", "sweater", "parka", "duvet")]
    assert worn == sorted(worn)
    assert worn[0][1] == pytest.approx(21, abs=0.1)
    assert all(skin - ambient > 0 for skin, ambient in worn)
    assert 30 < worn[-1][1] < worn[-1][0] < 37


def test_clothing_does_not_warm_what_lies_off_the_body_and_does_not_keep_water_out():
    skin, ambient = settled("duvet", worn=False)
    assert (skin, ambient) == (pytest.approx(21, abs=0.1), pytest.approx(21, abs=0.1))
    assert settled("parka", "lake") == settled("bare", "lake")


def test_in_a_parked_car_in_the_sun_the_limb_stays_below_fever():
    skin, ambient = settled("bare", "oven")
    assert ambient == pytest.approx(47, abs=0.1)
    assert skin < 41


def test_a_ride_shakes_the_limb_and_a_game_hits_it():
    ride, game = made_up("ride", 0, 60), made_up("sport", 0, 60)
    assert max(abs(z - 1000) for _, _, z in ride) < 60
    assert sum(x > 4000 for x, _, _ in game) > 20
    assert made_up("sport", 7, 10) == made_up("sport", 7, 10)
