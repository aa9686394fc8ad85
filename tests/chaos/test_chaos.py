"""A sample of `make chaos`, and whether it would find what must not be."""

from pathlib import Path
from random import Random

import pytest

from strapline_centre.alerts import AlertBook
from strapline_centre.ledger import Ledger, Outcome
from strapline_protocol.codes import EventCode
from strapline_simulator.chaos.broker import Broker, Weather
from strapline_simulator.chaos.plan import FAULTS, draw_plan
from strapline_simulator.chaos.run import run_plan, run_seed
from strapline_simulator.chaos.timeline import Timeline
from strapline_simulator.chaos.verdict import CALM_S, LIVE_BOUND_S, bound_of
from strapline_simulator.chaos.world import Fault

SAMPLE = (13, 36, 61, 89, 90, 116, 118, 120, 124, 134, 140, 148, 149, 158, 167)
DEFECTS = Path(__file__).with_name("forgetful_nursery.py")


@pytest.mark.parametrize("seed", SAMPLE)
def test_nothing_is_lost_doubled_out_of_order_or_late(seed):
    result = run_seed(seed)
    assert not result.verdict.wrong, f"{result.reproduce}: {result.verdict.wrong}"
    assert result.verdict.recorded > 5
    assert result.kills_at_rest + result.kills_at_work > 0


def test_the_sample_has_every_fault():
    assert {fault for seed in SAMPLE for fault in draw_plan(seed).faults} == set(FAULTS)


def test_the_same_seed_is_the_same_run_to_the_byte():
    one, other = run_seed(140), run_seed(140)
    assert one.digest == other.digest
    assert one.kills_at_work == other.kills_at_work
    assert run_seed(148).digest != one.digest


@pytest.mark.parametrize(
    ("defect", "seed", "found"), [("lets-go", 13, "gap"), ("begins-anew", 3, "journal"), ("never-again", 13, "late")]
)
def test_a_gateway_with_a_defect_is_found(defect, seed, found):
    wrong = run_plan(draw_plan(seed), (str(DEFECTS), defect)).verdict.wrong
    assert found in {one.what for one in wrong}


def test_a_centre_that_receipts_what_it_has_not_kept_is_found(monkeypatch):
    add = Ledger.add

    def forgets_arming(self, entry):
        return Outcome.NEW if entry.fields.get("code") == EventCode.ARMED else add(self, entry)

    monkeypatch.setattr(Ledger, "add", forgets_arming)
    assert "missing" in {one.what for one in run_seed(3).verdict.wrong}


def test_an_alert_that_nothing_has_caused_is_found(monkeypatch):
    tell = AlertBook.tell

    def accuses(self, subject, code, *arguments, **options):
        if code == "strap_open":
            tell(self, subject, "clone_heard", *arguments, **options)
        return tell(self, subject, code, *arguments, **options)

    monkeypatch.setattr(AlertBook, "tell", accuses)
    assert {one.what for one in run_seed(3).verdict.wrong} == {"false alert"}


# What the judge holds an alarm to.


def test_on_a_live_chain_an_alarm_has_seconds():
    assert bound_of(1000.0, []) == (1000.0 + LIVE_BOUND_S, True)
    assert bound_of(1000.0, [Fault("kill", 100.0, 1000.0 - CALM_S - 1)]) == (1000.0 + LIVE_BOUND_S, True)


def test_under_faults_it_has_until_the_end_of_the_first_calm_stretch():
    faults = [Fault("kill", 900.0, 950.0), Fault("mqtt cut", 1100.0, 1200.0), Fault("kill", 1700.0, 1710.0)]
    assert bound_of(1000.0, faults) == (1200.0 + CALM_S, False)
    assert bound_of(1000.0, [*faults, Fault("disk full", 1190.0, 1400.0)]) == (1710.0 + CALM_S, False)


# What the broker does to messages.


class Desk:
    def __init__(self):
        self.timeline, self.weather = Timeline(), Weather()
        self.broker = Broker(self.timeline, Random(1), self.weather)
        self.taken = []
        self.connect("reader")
        self.broker.connect("writer", [], lambda *_: None)

    def connect(self, client):
        self.broker.connect(client, ["a/+"], lambda _topic, payload: self.taken.append(payload))

    def say(self, *payloads, retain=False):
        for payload in payloads:
            self.broker.publish("writer", "a/b", payload, retain=retain)
        self.timeline.run(self.timeline.now + 10)


def test_a_session_keeps_what_comes_for_who_is_away_up_to_its_limit():
    desk = Desk()
    desk.broker.disconnect("reader")
    desk.broker.queue_limit = 2
    desk.say(b"1", b"2", b"3")
    assert desk.broker.dropped == 1
    desk.connect("reader")
    desk.say()
    assert desk.taken == [b"1", b"2"]


def test_what_was_under_way_when_a_connection_broke_comes_with_the_next():
    desk = Desk()
    desk.broker.publish("writer", "a/b", b"1")
    desk.broker.disconnect("reader")
    desk.connect("reader")
    desk.say(b"2")
    assert desk.taken == [b"1", b"2"]


def test_a_broker_that_forgets_loses_sessions_and_retained_messages():
    desk = Desk()
    desk.say(b"1", retain=True)
    desk.broker.disconnect("reader")
    desk.say(b"2")
    desk.broker.stop(forget=True)
    desk.broker.start()
    desk.connect("reader")
    desk.say()
    assert desk.taken == [b"1"]


def test_rough_weather_doubles_and_reorders_and_loses_nothing():
    desk = Desk()
    desk.weather.jitter_s, desk.weather.doubling = 3.0, 0.5
    sent = [bytes([number]) for number in range(50)]
    desk.say(*sent)
    assert set(desk.taken) == set(sent)
    assert len(desk.taken) > 50
    assert desk.taken != sorted(desk.taken)
