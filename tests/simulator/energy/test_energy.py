"""The charge of a day: sums that can be done by hand, counts of a real run, and what the command says of both."""

import json

import pytest

from strapline_protocol.command import main
from strapline_simulator.energy.activity import Activity, Meter, count_activities
from strapline_simulator.energy.boards import figures
from strapline_simulator.energy.budget import hour_of
from strapline_simulator.energy.table import lasting, rows_of
from strapline_tag import outputs

NOTHING = Activity(*[0.0] * len(Activity._fields))


@pytest.fixture(scope="module")
def activities():
    return count_activities("model")


def hour(activity, board="nrf52840", profile="one-piece"):
    given = figures()
    return hour_of(activity, given.boards[board], given.profiles[profile], given)


def test_a_tag_that_does_nothing_draws_what_its_parts_draw_asleep():
    parts = hour(NOTHING)
    assert parts["sleep"] == pytest.approx(0.0032)
    assert parts["gnss"] == pytest.approx(0.046)
    assert parts["modem"] == pytest.approx(0.007)
    assert parts["radio"] == parts["processor"] == 0.0


def test_the_receiver_and_the_modem_draw_for_as_long_as_they_are_on():
    idle, busy = hour(NOTHING), hour(NOTHING._replace(gnss_s=360.0, line_s=120.0, dials=3.0))
    assert busy["gnss"] - idle["gnss"] == pytest.approx(13.0 / 10)
    assert busy["modem"] - idle["modem"] == pytest.approx(60.0 / 30 + 3 * 8 * 175.0 / 3600)
    assert hour(NOTHING._replace(standby_s=3600.0))["modem"] - idle["modem"] == pytest.approx(1.2)


def test_an_advertisement_is_three_times_sending_and_listening():
    # By hand: 53 bytes of 8 µs at 4.8 mA, 350 µs at 4.6 mA, on three channels, and a millisecond of processor at 3.4 mA.
    micro_coulomb = 3 * (0.424 * 4.8 + 0.350 * 4.6) + 3.4
    assert hour(NOTHING._replace(advertisements=1000.0))["radio"] == pytest.approx(micro_coulomb / 3600)


def test_a_device_without_receiver_and_modem_spends_nothing_on_them():
    parts = hour(NOTHING._replace(gnss_s=360.0, line_s=120.0, dials=3.0), profile="home-rf")
    assert "gnss" not in parts
    assert "modem" not in parts
    assert parts["processor"] == 0.0


def test_aes_in_python_costs_more_than_the_boards_own():
    sealing = NOTHING._replace(advertisements=600.0)
    assert hour(sealing, "nrf52840-without-aes")["processor"] > 5 * hour(sealing)["processor"]


def test_the_meter_counts_what_leaves_and_how_long_lines_stand():
    meter = Meter()
    meter.output(1.0, outputs.ADVERTISE, b"")
    meter.output(12.0, outputs.ADVERTISE, b"")
    meter.line(3.0, outputs.BLE, up=True)
    meter.line(7.5, outputs.BLE, up=False)
    meter.line(8.0, outputs.CELLULAR, up=True)
    meter.output(9.0, outputs.GNSS_POWER, b"\x01")
    assert meter.count("advertisement", 0.0, 10.0) == 1
    assert meter.on_s("ble", 5.0, 10.0) == 2.5
    assert meter.on_s("line", 0.0, 10.0) == 2.0
    assert meter.on_s("gnss", 0.0, 10.0) == 1.0


def test_the_counts_are_those_of_the_requirements(activities):
    # R17: evenly between 1 s and 10 s, and quick ones where a tag that moves asks for a call.
    assert 3600 / 5.5 <= activities["home"].advertisements < 3600 / 4.0
    assert activities["home"].gnss_s == 0.0  # R50
    assert 25 < activities["home"].connections <= 60  # presence by visit: each 2 min, each minute for who moves
    assert activities["away"].connections == 0.0
    assert 19 <= activities["away"].records <= 21  # R11: a fix each 3 min
    assert 235 <= activities["violation"].records <= 245  # R11: each 15 s
    assert activities["violation"].line_s == pytest.approx(3600.0)


def test_the_batteries_last_as_long_as_they_are_meant_to(activities):
    goals = {(row.profile, row.board): row for row in rows_of(activities, figures()) if row.goal_h is not None}
    assert set(goals) == {("home-rf", "nrf52840"), ("one-piece", "nrf52840"), ("one-piece-no-sky", "nrf52840")}
    assert all(row.holds for row in goals.values()), goals


def test_a_length_of_time_reads_as_people_say_it():
    assert [lasting(hours) for hours in (14.2, 24 * 90, 24 * 365 * 3)] == ["14 h", "90 days", "3.0 years"]


def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["energy", *arguments])
    return ended.value.code


def test_the_command_says_that_its_figures_are_modelled(tmp_path, capsys):
    page, figures_file = tmp_path / "energy.html", tmp_path / "energy.json"
    assert command("--board", "nrf52840", "--out", str(page), "--json", str(figures_file)) == 0
    assert "Modelled, not measured" in capsys.readouterr().out
    content = json.loads(figures_file.read_text())
    assert content["modelled"] is True
    assert {row["board"] for row in content["lives"]} == {"nrf52840"}
    assert "modelled (not measured)" in page.read_text()


@pytest.mark.parametrize("arguments", [["--board", "zx81"], ["--profile", "ankle"], ["--on", "toaster"]])
def test_what_is_not_known_is_said_in_one_line(arguments, capsys):
    assert command(*arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert arguments[1] in told.err
