"""What walls, bodies and other tags take from the air, and who still hears."""

import asyncio
from random import Random

import pytest
from bleak import BleakScanner

from strapline_simulator.airs import open_ether
from strapline_simulator.clock import run_virtual
from strapline_simulator.world.collisions import CAPTURE_DB, DELAY_S, PDU_S, Collisions
from strapline_simulator.world.radio import RadioWorld
from strapline_simulator.world.rooms import BRICK, CONCRETE, PLASTERBOARD, ROOMS, Wall
from strapline_simulator.world.wearer import Point

HOME = Point(53.0, 10.0)


@pytest.fixture
def world():
    world = RadioWorld(Random(1))
    for node in ("home", "tag", "clone"):
        world.place(node, lambda: HOME)
    return world


# 2.44 GHz, worked out by hand from P.2040-3: absorption 66.4, 22.7, 19.5 dB/m, and two faces.
@pytest.mark.parametrize(
    ("wall", "loss_db"),
    [(Wall(CONCRETE, 0.2), 14.7), (Wall(BRICK, 0.115), 3.6), (Wall(PLASTERBOARD, 0.0125), 0.8)],
)
def test_a_wall_takes_what_its_material_and_thickness_say(wall, loss_db):
    assert wall.loss_db == pytest.approx(loss_db, abs=0.2)


def test_a_room_takes_its_walls_and_its_distance_from_the_tag_and_from_nobody_else(world):
    others = world.level_dbm("clone", "home")
    levels = {}
    for name in ROOMS:
        world.go_to_room(name)
        levels[name] = world.level_dbm("tag", "home")
        assert world.level_dbm("clone", "home") == others
    assert levels["living_room"] > levels["kitchen"] > levels["bathroom"] > levels["garage"] > levels["cellar"]
    assert levels["kitchen"] == pytest.approx(-60 - 22 * 0.699 - 3.6, abs=0.2)
    world.go_to_room("stairwell")
    assert world.reaches("tag", "home")
    world.go_to_room("cellar")
    assert not world.reaches("tag", "home")


def test_a_body_in_the_way_comes_on_top_and_goes_again(world):
    before = world.level_dbm("tag", "home")
    world.put_body_between(True)
    turned = world.level_dbm("tag", "home")
    world.put_body_between("lying")
    assert before > turned > world.level_dbm("tag", "home")
    world.put_body_between(False)
    assert world.level_dbm("tag", "home") == before


def test_a_connection_asks_for_the_level_and_draws_no_fading(world):
    first, second = RadioWorld(Random(1)), RadioWorld(Random(1))
    for one in (first, second):
        one.place("a", lambda: HOME)
        one.place("b", lambda: HOME)
    assert all(first.reaches("a", "b") for _ in range(50))
    assert first.rssi_dbm("a", "b") == second.rssi_dbm("a", "b")


def drowned(gap_s, lead_db):
    """Whether each of two events that start so far apart is lost at `home`, the first being so much stronger."""
    levels = {"one": -60.0 + lead_db, "two": -60.0}
    starts = iter([0.0, gap_s])

    class Dice:
        def uniform(self, _low, _high):
            return next(starts)

    crowd = Collisions(Dice(), lambda sender, _listener: levels[sender])
    sendings = [crowd.send(sender, 0.0) for sender in ("one", "two")]
    return [crowd.drowned(sending, "home") for sending in sendings]


@pytest.mark.parametrize(
    ("gap_s", "lead_db", "lost"),
    [
        (0.0, 0.0, [True, True]),
        (PDU_S * 0.99, 0.0, [True, True]),
        (PDU_S * 1.01, 0.0, [False, False]),
        (0.0, CAPTURE_DB, [False, True]),
        (0.0, CAPTURE_DB - 0.1, [True, True]),
        (0.0, -CAPTURE_DB, [True, False]),
    ],
)
def test_two_events_that_overlap_are_lost_unless_one_is_much_stronger(gap_s, lead_db, lost):
    assert drowned(gap_s, lead_db) == lost


@pytest.mark.parametrize("air", ["ble", "frames"])
def test_many_senders_lose_the_share_that_theory_gives(air):
    senders, period_s, events = 20, 0.1, 60

    async def main():
        ether = open_ether(air, lambda _a, _b: -60, lambda _a, _b: True, Random(1), 0.0)
        ether.air.medium = Collisions(Random(2), lambda _sender, _listener: -60.0)
        home = ether.gateway_radio("home")
        tags = [
            ether.tag_radio(f"tag {n}", on_link_up=print, on_data=print, on_link_down=print) for n in range(senders)
        ]
        for radio in (home, *tags):
            await radio.start()
        heard = []

        async def beacon(number):
            dice = Random(number)
            for count in range(events):
                await asyncio.sleep(dice.uniform(0.5, 1.5) * period_s)
                tags[number].advertise(bytes((0xC0, 0, 0, 0, 0, number)), count.to_bytes(2, "big"))

        async with BleakScanner(lambda device, data: heard.append(device), backend=home.scanner_backend):
            await asyncio.gather(*(beacon(number) for number in range(senders)))
            await asyncio.sleep(2 * DELAY_S)
        for radio in (home, *tags):
            await radio.stop()
        return len(heard)

    share = 1 - run_virtual(main()) / (senders * events)
    # Pure ALOHA: nobody else starts within one air time before or after, at 19 / period_s starts a second.
    expected = 2 * PDU_S * (senders - 1) / period_s
    assert expected * 0.6 < share < expected * 1.2
