"""The draw of a running tag against the budget of an hour, which is reckoned from counts."""

import pytest

from strapline_simulator.energy.activity import Activity, Meter
from strapline_simulator.energy.boards import figures
from strapline_simulator.energy.budget import hour_of
from strapline_simulator.energy.draw import Draw
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import outputs
from strapline_tag.config import Config


class Both:
    """Two meters on one tag."""

    def __init__(self, *meters):
        self.meters = meters

    def output(self, now_s, kind, content):
        for meter in self.meters:
            meter.output(now_s, kind, content)

    def line(self, now_s, bearer, *, up):
        for meter in self.meters:
            meter.line(now_s, bearer, up=up)


@pytest.mark.parametrize("name", ["strap-cut", "alarm-one-piece"])
def test_a_run_draws_what_the_budget_says_of_its_counts(name):
    scenario = load_scenario(name)
    draw, meter = Draw("pico-w", "one-piece", figures()), Meter()
    run_scenario(scenario, Options(body="model", air="frames", meter=Both(draw, meter)))
    end_s = scenario.duration_s
    per_hour = 3600 / end_s
    counted = Activity(
        advertisements=meter.count("advertisement", 0, end_s) * per_hour,
        connections=meter.count("connection", 0, end_s) * per_hour,
        connected_s=meter.on_s("ble", 0, end_s) * per_hour,
        frames=meter.count("frame", 0, end_s) * per_hour,
        records=0.0,
        gnss_s=meter.on_s("gnss", 0, end_s) * per_hour,
        dials=meter.count("dial", 0, end_s) * per_hour,
        line_s=meter.on_s("line", 0, end_s) * per_hour,
        standby_s=0.0,
        strap_samples=3600 * 1000 / Config.strap_sample_ms,
        skin_samples=3600 * 1000 / Config.skin_sample_ms,
    )
    assert counted.advertisements > 0
    assert counted.gnss_s > 0 or name == "strap-cut"
    known = figures()
    profile = known.profiles["one-piece"].model_copy(update={"gnss_s_per_hour": None})
    expected_ua = sum(hour_of(counted, known.boards["pico-w"], profile, known).values()) * 1000
    assert draw.charge_uc(end_s) / end_s == pytest.approx(expected_ua, rel=1e-6)


def test_a_receiver_that_is_on_shows():
    draw = Draw("nrf52840", "one-piece", figures())
    quiet_ua = draw.level_ua
    draw.output(10.0, outputs.GNSS_POWER, b"\x01")
    assert draw.level_ua - quiet_ua > 10_000
    draw.output(20.0, outputs.GNSS_POWER, b"\x00")
    assert draw.level_ua == quiet_ua
    assert draw.charge_uc(30.0) == pytest.approx(30 * quiet_ua + 10 * (figures().chips["gnss"].on_ma * 1000), rel=0.2)
