"""The virtual rig: real drivers, real bytes on real ptys, the product build behind them."""

import os
import threading
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_hil.rig.file import load_rig
from strapline_hil.rig.soak import holding
from strapline_hil.rig.virtual.meter import SAMPLES_PER_S, Evened
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_hil.rig.virtual.session import VirtualSession
from strapline_hil.verdict import BenchError, RigError
from strapline_protocol.errors import UserError
from strapline_simulator.scenario import load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario

MARKED = [name for name in shipped_scenarios() if load_scenario(name).hil]
IS_LONG_RUN = os.environ.get("STRAPLINE_LONG") == "1"
SAMPLE = ("strap-cut", "r06-case-opened", "r26-message-unanswered", "attack-battery-taken-out")
RECKONED_CHARGE = {"r23-charged-in-time"}
"""Where the battery drains: its gauge reckons the charge from millivolts, and is a percent off now and then."""


def digest_on(body, scenario):
    result = run_scenario(scenario, Options(body=body.name, opened=body, air="frames"))
    assert result.passed, [one.text for one in result.report.expectations if not one.passed]
    return result.report.frames_digest


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) for name in MARKED] if IS_LONG_RUN else SAMPLE
)
def test_a_scenario_passes_on_model_virtual_board_and_rig(name, open_rig, make_board):
    scenario = load_scenario(name)
    assert run_scenario(scenario, Options(body="model", air="frames")).passed
    digests = set()
    for opener in (make_board, open_rig):
        body = opener()
        try:
            digests.add(digest_on(body, scenario))
        finally:
            body.close()
    assert len(digests) == 1 or name in RECKONED_CHARGE, "on the rig the tag has said something else"


def test_twice_the_same(open_rig):
    digests = set()
    for _ in range(2):
        body = open_rig()
        try:
            digests.add(digest_on(body, load_scenario("strap-glitch")))
        finally:
            body.close()
    assert len(digests) == 1


def test_a_scenario_is_refused_where_an_instrument_is_missing(rig_path, make_board):
    rig_path.write_text(
        "".join(
            line for line in rig_path.read_text("utf-8").splitlines(keepends=True) if not line.startswith("  heat:")
        )
    )
    body = open_virtual(load_rig(rig_path), make_board)
    try:
        with pytest.raises(
            UserError, match=r"strap-cut: rig virtual has no heater; add it to `instruments` in .*rig.yaml"
        ):
            digest_on(body, load_scenario("strap-cut"))
    finally:
        body.close()


def test_instruments_act_on_the_tag_and_the_base_station(open_rig):
    with VirtualSession(open_rig()) as session:
        rig = session.rig
        session.act(rig.strap.cut)
        assert session.wait_for("strap_open", within_s=2)
        session.act(rig.strap.mend)
        assert session.wait_for("strap_closed", within_s=2)
        session.act(partial(rig.contacts.set, "case_open", on=True))
        assert session.wait_for("case_open", within_s=10)
        session.act(rig.supply.off)
        session.sleep(5)
        assert not session.chain.tag.has_power
        session.act(rig.supply.on)
        started = session.wait_for("started", within_s=60)
        assert started is not None
        assert started.fields["boot"] == 2
        session.act(rig.mains.off)
        session.sleep(60)
        assert any("mains_lost" in happening.text for happening in session.happenings)


def test_a_meter_and_a_sniffer_see_the_tag_from_outside(open_rig):
    with VirtualSession(open_rig()) as session:
        rig = session.rig
        session.act(rig.sniffer.heard)
        session.act(rig.meter.start)
        session.sleep(30)
        samples, heard = session.act(rig.meter.read), session.act(rig.sniffer.heard)
        assert len(samples) == pytest.approx(30 * SAMPLES_PER_S, abs=2)
        assert 100 < sum(one.micro_a for one in samples) / len(samples) < 50_000
        assert len(heard) >= 3
        assert heard[0].t_s >= session.now_s - 30.1
        session.act(rig.supply.off)
        session.sleep(10)
        dark = session.act(rig.meter.read)[2:]
        assert max(one.micro_a for one in dark) < 1
        assert session.act(rig.sniffer.heard)[1:] == []


FAULTS = {
    "a strap relay's contacts stick": ("strap", "stuck", lambda rig: rig.strap.cut()),
    "the relay board is silent": ("contacts", "silent", lambda rig: rig.contacts.set("case_open", on=True)),
    "the bench board's cable is out": ("heat", "gone", lambda rig: rig.heat.set(3300, 2200)),
    "the supply sags": ("supply", "sagging", lambda rig: (rig.supply.set_mv(3700), rig.supply.on())),
    "the injector hears nothing": ("gnss", "loop cut", lambda rig: rig.gnss.send(b"$GNTXT,1*00\r\n")),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_breaks_on_the_rig_is_the_rigs_failure(what, open_rig):
    role, fault, deed = FAULTS[what]
    body = open_rig()
    try:
        assert body.rig.check() == []
        body.rig.virtual.fakes[role].faults.add(fault)
        with pytest.raises(RigError):
            deed(body.rig)
        assert body.rig.check() != []
    finally:
        body.close()


def test_nothing_stays_open(open_rig, rig_path, make_board, monkeypatch):
    before = holding()
    body = open_rig()
    assert holding().ports > before.ports + 6, "real ptys"
    body.close()
    body.close()
    assert holding() == before
    monkeypatch.setattr("strapline_hil.rig.drivers.Heater", _broken)
    with pytest.raises(BenchError):
        open_virtual(load_rig(rig_path), make_board)
    assert holding() == before
    assert threading.active_count() == before.threads


def _broken(*_arguments, **_named):
    raise RigError("heat", "no answer", "mend it")


@given(st.lists(st.tuples(st.floats(0.0005, 30), st.floats(0, 1e5)), min_size=1, max_size=30))
def test_no_charge_is_lost_between_samples(flowed):
    evened = Evened()
    for lasted_s, micro_a in flowed:
        evened.add(lasted_s, micro_a)
    cells = evened.take()
    lasted_s = sum(lasted for lasted, _ in flowed)
    whole_s = sum(count for count, _ in cells) / SAMPLES_PER_S
    assert 0 <= lasted_s - whole_s + 1e-6 <= 1 / SAMPLES_PER_S + 2e-6
    uc = sum(lasted * micro_a for lasted, micro_a in flowed)
    measured_uc = sum(count * micro_a for count, micro_a in cells) / SAMPLES_PER_S
    most_missing_uc = max(micro_a for _, micro_a in flowed) / SAMPLES_PER_S
    assert -1e-3 <= uc - measured_uc <= most_missing_uc + 1e-3
