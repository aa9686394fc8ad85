"""What stands between the tag and the sky: foil and jammers are told, lifts, cellars, tunnels and baths are not; R14, R18, R19, R46."""

import pytest

from firmware.tag_pair import TagPair, epoch, nmea

SPARSE = {"heartbeat_shortest_ms": 60_000, "heartbeat_longest_ms": 60_000}
GOOD, NOTHING = -85, -140


class World:
    """A tag away from home that samples its radios each ten seconds; `sky` says whether the receiver finds a position in two seconds."""

    def __init__(self, *, armed=True, **config):
        self.pair = TagPair({**SPARSE, **config})
        self.cell_dbm, self.jam, self.sky = GOOD, 0, True
        if armed:
            self.pair.armed_away()
        self.pair.visit(home=False)  # for the time
        self.live(60)

    def live(self, seconds, home=False):
        pair = self.pair
        end = pair.now + round(seconds * 1000)
        while pair.now < end:
            if home and pair.now % 60_000 < 10_000:
                pair.visit()
            pair.tag.feed_radio(pair.now, self.jam, self.cell_dbm)
            pair.drain()
            if self.sky and pair.tag._positioning.power:
                pair.gnss(self.position())
            pair.run_to(min(end, pair.now + 10_000))
        return self

    def position(self):
        return epoch(self.pair.now // 1000)

    def told(self):
        self.pair.visit(home=False)
        skip = (
            "started",
            "armed",
            "left_home",
            "came_home",
            "fix",
            "beacon",
            "vibrated",
            "clock_untrusted",
            "clock_trusted",
        )
        return [name for name in self.pair.names() if name not in skip]

    def detail(self, name):
        return [r.body.detail for r in self.pair.unique() if r.name == name]


def foil(world, seconds=900):
    world.cell_dbm, world.sky = NOTHING, False
    world.live(seconds)


# Foil, and what looks like it.


def test_foil_takes_cell_and_sky_away_at_once_and_for_long():
    world = World()
    wrapped_at = world.pair.now
    foil(world)
    assert world.told() == ["no_fix", "shielded"]
    assert 300_000 <= world.pair.times("shielded")[0] - wrapped_at <= 420_000
    assert world.detail("shielded") == [550]
    world.cell_dbm, world.sky = GOOD, True
    world.live(300)
    assert world.told() == ["no_fix", "shielded", "sky_back"]
    assert 900 <= world.detail("sky_back")[0] <= 1300


def test_foil_at_home_is_told_once_home_has_been_silent_for_long_enough():
    world = World()
    world.live(600, home=True)
    assert not world.pair.tag.away
    foil(world)
    assert world.told()[-1] == "shielded"


def test_a_lift_is_too_short():
    world = World()
    for _ in range(10):
        foil(world, 180)
        world.cell_dbm, world.sky = GOOD, True
        world.live(600)
    assert set(world.told()) <= {"no_fix"}


def test_a_car_park_takes_the_cell_away_step_by_step():
    world = World()
    world.sky = False
    for level in (-90, -100, -108, -116, -122, NOTHING):
        world.cell_dbm = level
        world.live(10)
    world.live(3600)
    assert "shielded" not in world.told()


def test_a_metro_with_cells_along_the_line_has_no_sky_and_is_no_foil():
    world = World()
    world.sky, world.cell_dbm = False, -105
    world.live(3600)
    assert "shielded" not in world.told()


def test_a_tunnel_is_entered_in_a_vehicle():
    world = World()
    world.position = lambda: at_place(world, 0, knots=40)
    world.live(400)
    foil(world)
    assert "shielded" not in world.told()


def test_no_coverage_under_an_open_sky_is_no_foil():
    world = World()
    world.cell_dbm = NOTHING
    world.live(7200)
    assert world.told() == []


def test_in_a_bath_at_home_the_cell_goes_and_home_is_heard_now_and_then():
    world = World()
    world.live(600, home=True)
    world.cell_dbm, world.sky = NOTHING, False
    world.live(2400, home=True)
    assert world.told() == []


def test_one_who_was_indoors_before_is_not_told():
    world = World()
    world.sky = False
    world.live(3600)
    before = len(world.told())
    foil(world, 3600)
    assert "shielded" not in world.told()[before:]


# Jamming.


def test_jamming_for_a_minute_is_told_once_until_there_is_a_position():
    world = World()
    world.jam, world.sky = 180, False
    world.live(3600)
    assert world.told() == ["jammed", "no_fix", "moving_without_fix"]
    assert world.detail("jammed") == [180]
    world.jam, world.sky = 0, True
    world.live(300)
    assert world.told()[-1] == "sky_back"


def test_a_jammer_that_drives_past_is_not_told():
    world = World()
    for _ in range(20):
        world.jam, world.sky = 255, False
        world.live(40)
        world.jam, world.sky = 20, True
        world.live(200)
    assert "jammed" not in world.told()


# R14.


def moving(world, *, is_moving):
    world.pair.tag.situation.moving = is_moving


def test_ten_minutes_on_the_move_without_a_position_warn_and_ten_more_alarm():
    world = World()
    world.sky = False
    lost_at = world.pair.tag.situation.fixed_at
    world.live(18 * 60)
    assert len(world.pair.vibrated) == 1
    warned_at = world.pair.vibrated[0][0]
    assert 540_000 <= warned_at - lost_at <= 720_000
    assert "moving_without_fix" not in world.told()
    world.live(300)
    assert world.told()[-1] == "moving_without_fix"
    assert 600_000 <= world.pair.times("moving_without_fix")[0] - warned_at <= 660_000
    assert 1140 <= world.detail("moving_without_fix")[0] <= 1400
    world.live(7200)
    assert world.told().count("moving_without_fix") == 1


def test_a_position_within_the_grace_ends_it():
    world = World()
    world.sky = False
    world.live(13 * 60)
    assert len(world.pair.vibrated) == 1
    world.sky = True
    world.live(1200)
    assert "moving_without_fix" not in world.told()
    assert "sky_back" not in world.told()


def test_motion_is_counted_within_an_hour():
    world = World()
    world.sky = False
    for _ in range(10):  # nine minutes in each hour
        moving(world, is_moving=True)
        world.live(9 * 60)
        moving(world, is_moving=False)
        world.live(52 * 60)
    assert world.pair.vibrated == []
    moving(world, is_moving=True)
    world.live(11 * 60)
    assert len(world.pair.vibrated) == 1


@pytest.mark.parametrize("how", ["still", "at home", "not armed", "no receiver"])
def test_nobody_is_warned(how):
    world = World(armed=how != "not armed", mode=1 if how == "no receiver" else 0)
    world.sky = False
    moving(world, is_moving=how != "still")
    world.live(7200, home=how == "at home")
    assert world.pair.vibrated == []
    assert "moving_without_fix" not in world.told()


# R46: lies about place and time.


def at_place(world, minutes_north, knots=1):
    second = world.pair.now // 1000
    time = f"{second // 3600 % 24:02}{second // 60 % 60:02}{second % 60:02}"
    place = f"48{minutes_north:07.4f},N,01131.0000,E"
    return nmea(f"GPRMC,{time},A,{place},{knots:.1f},84.4,030326,,,A") + nmea(
        f"GPGGA,{time},{place},1,08,0.9,545.4,M,46.9,M,,"
    )


def test_a_jump_that_nobody_can_make_is_told_with_its_length_once_and_is_no_fix_for_the_zones():
    world = World()
    world.position = lambda: at_place(world, 0)
    world.live(600)
    fixed_at = world.pair.tag.situation.fixed_at
    world.position = lambda: at_place(world, 40)  # 74 km
    world.live(180)
    assert world.told() == ["spoofed"]
    assert world.detail("spoofed")[0] == pytest.approx(74_100, rel=0.01)
    assert world.pair.tag.situation.fixed_at == fixed_at
    world.live(3600)
    assert world.told() == ["spoofed", "sky_back"]
    assert world.pair.tag.situation.fixed_at > fixed_at


def test_a_fast_train_is_believed():
    world = World()
    start = world.pair.now
    world.position = lambda: at_place(world, (world.pair.now - start) / 1000 * 89 / 1852 % 59)
    world.live(1200)
    assert world.told() == []


@pytest.mark.parametrize(("knots", "told"), [(447, []), (1, ["spoofed"])])
def test_a_flight_is_believed_where_the_receiver_itself_measures_its_speed(knots, told):
    world = World()
    start = world.pair.now
    world.position = lambda: at_place(world, (world.pair.now - start) / 1000 * 230 / 1852, knots)
    world.live(460)
    assert world.told() == told


def test_a_landing_is_believed_too():
    world = World()
    start = world.pair.now
    world.position = lambda: at_place(world, (world.pair.now - start) / 1000 * 230 / 1852, 447)
    world.live(300)
    stopped = (world.pair.now - start) / 1000 * 230 / 1852
    world.position = lambda: at_place(world, stopped, 0)
    world.live(600)
    assert world.told() == []


def test_a_speed_that_is_reported_excuses_no_jump_over_a_country():
    world = World()
    world.position = lambda: at_place(world, 0, 447)
    world.live(200)
    world.position = lambda: at_place(world, 55, 990)  # 102 km
    world.live(185)
    assert "spoofed" in world.told()


def test_a_time_that_is_not_the_centres_is_told_and_the_leap_seconds_are_not():
    world = World()
    world.position = lambda: epoch(world.pair.now // 1000 + 18)
    world.live(600)
    assert world.told() == []
    world.position = lambda: epoch(world.pair.now // 1000 + 120)
    world.live(180)
    assert world.told() == ["spoofed"]
    assert world.detail("spoofed") == [120]


def test_without_a_trusted_clock_no_time_is_called_a_lie():
    pair = TagPair(SPARSE)
    pair.telling_time = False
    pair.armed_away()
    pair.gnss(epoch(50_000))
    pair.run(1)
    assert "spoofed" not in pair.waiting() + pair.names()
