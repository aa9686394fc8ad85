"""R42 in a scenario: the broker ends and starts again, and what the expectations say of it can fail."""

import asyncio

import pytest

from strapline_protocol.errors import UserError
from strapline_protocol.paho_link import back_off_s
from strapline_simulator import broker_outage
from strapline_simulator.broker_outage import BrokerOutage
from strapline_simulator.brokers import MemoryBroker, RemoteBroker
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario


def test_pauses_without_a_draw_and_a_single_lane_are_found_out(monkeypatch):
    monkeypatch.setattr(broker_outage, "back_off_s", lambda failures, *_: back_off_s(failures, 0.0))
    monkeypatch.setattr("strapline_gateway.kept.ALARM_LANE", 1)
    result = run_scenario(load_scenario("r42-broker-restart"), Options(body="model", air="frames"))
    failed = [outcome.text for outcome in result.report.expectations if not outcome.passed]
    assert any(text.startswith("no two come back") for text in failed)
    assert any(text.startswith("alarms first") for text in failed)
    assert result.unmet == []


def test_only_the_broker_in_memory_can_be_stopped():
    outage = BrokerOutage(RemoteBroker("mqtt://127.0.0.1:1"), {}, 1)
    for order in (outage.stop, outage.start):
        with pytest.raises(UserError, match="without --broker"):
            order()


def test_a_broker_is_not_stopped_twice():
    async def stop_twice():
        outage = BrokerOutage(MemoryBroker(), {}, 1)
        outage.stop()
        outage.stop()

    with pytest.raises(UserError, match="start it first"):
        asyncio.run(stop_twice())
