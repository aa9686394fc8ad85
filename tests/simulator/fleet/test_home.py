"""A home of a fleet: the firmware, the station and the centre's rules on one agenda, and what they make of a life."""

import os
import subprocess
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from fleet_homes import HOME, TOWN, home, tag
from strapline_protocol.profiles import PROFILES
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_house import Home
from strapline_simulator.fleet.engine_memory import SparseFlash
from strapline_simulator.fleet.engine_wearer import Wearer
from strapline_simulator.fleet.home import run_home
from strapline_simulator.fleet.spec import Sown
from strapline_tag.bench_flash import MemoryFlash

CUT = Sown(5400.0, "strap_cut", ("strap_open",), 60.0)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_cut_is_told_under_every_profile(profile):
    result = run_home(home(tag("7a900001", profile, (5400.0, "cut_strap", True), sown=[CUT]), hours=1.6))
    assert [sown for sown, _ in result.caught] == [CUT]
    assert result.missed == ()
    assert result.missing == 0
    assert [(told.code, told.cause) for told in result.alerts] == [("strap_open", "strap_cut")]
    assert result.records["armed"] == 1


def test_an_ordinary_day_out_is_told_and_alerts_nobody():
    life = [(1800.0, "go", (*TOWN, 900.0)), (1800.0, "sky", "open"), (6300.0, "go", (*HOME, 900.0))]
    result = run_home(home(tag("7a900001", "two-piece", *life), hours=2.5))
    assert result.alerts == ()
    assert result.records["left_home"] == result.records["came_home"] == 1
    assert result.records["fix"] > 30
    assert result.missing == 0


def test_the_clocks_change_under_a_wearer_who_is_out_and_nobody_is_told():
    """A start in local time, an hour before the clocks of Berlin are put forward."""
    way = ((1800.0, "go", (*TOWN, 600.0)), (7200.0, "go", (*HOME, 600.0)))
    start = datetime(2026, 3, 29, 1, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    told = run_home(home(tag("00000101", "two-piece", *way), hours=4.0)._replace(start=start))
    assert told.records["fix"] > 5
    assert [alert.code for alert in told.alerts if alert.code != "left_home"] == []


def test_a_cut_away_from_home_comes_by_the_cellular_line():
    life = [(1200.0, "go", (*TOWN, 600.0)), (5400.0, "cut_strap", True)]
    result = run_home(home(tag("7a900001", "home-rf", *life, sown=[CUT]), hours=1.6))
    ((_, after_s),) = result.caught
    assert 2.0 < after_s < 60.0  # the modem dials first


def test_what_happens_without_a_line_comes_when_it_is_back():
    life = [(4000.0, "gateway_line", False), (5400.0, "cut_strap", True), (5460.0, "gateway_line", True)]
    late = Sown(5400.0, "strap_cut", ("strap_open",), 300.0)
    result = run_home(home(tag("7a900001", "home-rf", *life, sown=[late]), hours=1.7))
    assert [sown for sown, _ in result.caught] == [late]
    assert {told.code: told.cause for told in result.alerts} == {
        "gateway_lost": "gateway_line",
        "strap_open": "strap_cut",
    }
    assert result.missing == 0


def test_a_tamper_that_the_tag_cannot_tell_is_missed_and_counted():
    deaf = Sown(3600.0, "strap_cut", ("strap_open",), 60.0)
    result = run_home(home(tag("7a900001", "home-rf", sown=[deaf]), hours=1.5))
    assert result.missed == (("7a900001", deaf),)


def test_a_base_station_without_mains_lives_on_its_battery_and_is_then_missed():
    result = run_home(home(tag("7a900001", "home-rf", (600.0, "gateway_mains", False)), hours=38, fold=True))
    codes = [told.code for told in result.alerts]
    assert codes[0] == "mains_lost"
    assert codes.index("last_gasp") < codes.index("gateway_lost")
    assert all(told.cause for told in result.alerts)


def test_an_unknown_verb_is_refused_by_name():
    with pytest.raises(ValueError, match="'teleport' is no verb of a life; there are present_key, go"):
        run_home(home(tag("7a900001", "home-rf", (10.0, "teleport", True)), hours=0.1))


def test_a_curfew_is_taken_and_broken():
    curfew = {"weekly": [{"window": "may_leave", "between": "08:00-09:00"}]}
    life = [(300.0, "curfew", curfew), (1800.0, "go", (*TOWN, 600.0))]
    left = Sown(1800.0, "left_in_curfew", ("curfew_broken",), 1200.0)
    result = run_home(home(tag("7a900001", "home-rf", *life, sown=[left]), hours=1.5))
    assert result.records["applied"] == 1
    assert [sown for sown, _ in result.caught] == [left]


_DIGESTS = """
from strapline_simulator.fleet.home import run_home
from fleet_homes import home, tag
cut = (1800.0, "cut_strap", True)
specs = [home(tag("7a900001", "home-rf", cut), hours=0.6, number=n, fold=fold) for n in (1, 2) for fold in (False, True)]
print([run_home(spec).digest for spec in (specs if {order} else specs[::-1])][::{order} or -1])
"""


def test_the_digest_knows_neither_hash_seed_nor_order_nor_process():
    def digests(hash_seed, order):
        # By where this process finds the modules: pytest adds folders of its own, and so may who runs it.
        environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", _DIGESTS.replace("{order}", str(order))]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout

    first = digests(1, 1)
    assert first == digests(2, 0)
    assert len(set(first.split(","))) == 4


def test_calls_of_one_moment_are_made_in_the_order_of_their_entering():
    agenda, made = Agenda(), []
    agenda.at(5, made.append, "a")
    agenda.at(3, lambda _nothing: agenda.at(5, made.append, "c"))
    agenda.at(5, made.append, "b")
    agenda.at(9, made.append, "late")
    agenda.run(8)
    assert made == ["a", "b", "c"]
    assert agenda.now_ms == 8


def test_a_sparse_flash_is_the_bench_programs_flash():
    ours, theirs = SparseFlash(8192, 4096), MemoryFlash(8192, 4096)
    for flash in (ours, theirs):
        flash.writeblocks(1, b"\xf0\x0f\xaa", 40)
        flash.writeblocks(1, b"\x33", 41)
        flash.writeblocks(0, b"\x00" * 32, 0)
        flash.ioctl(6, 0)
    for block in (0, 1):
        read = [bytearray(4096), bytearray(4096)]
        ours.readblocks(block, read[0], 0)
        theirs.readblocks(block, read[1], 0)
        assert read[0] == read[1]


@pytest.mark.parametrize("moves_s", range(900, 3900, 300))
def test_each_second_of_a_movement_is_read_however_shortly_before_it_the_limb_was_looked_at(moves_s, monkeypatch):
    agenda, read = Agenda(), Wearer.read_motion
    made = Home(home(tag("7a900001", "home-rf", (130.0, "motion", "awake"))), agenda)
    agenda.run((moves_s - 2) * 1000)  # it moves each five minutes, for six seconds
    made.units[0].wearer.stir()
    seconds = []
    monkeypatch.setattr(
        Wearer, "read_motion", lambda self, samples: seconds.append(self.now // 1000) or read(self, samples)
    )
    agenda.run((moves_s + 12) * 1000)
    assert [second for second in seconds if second >= moves_s] == list(range(moves_s, moves_s + 7))
