"""A day without a broker; `make chaos` has ten."""

from strapline_simulator.chaos.outage import run_outage


def test_after_a_day_without_a_broker_alarms_come_first_then_history_that_says_so():
    outage = run_outage(1)
    assert outage.passed, outage.summary()
    assert outage.backlog_alarms >= 2
    assert outage.verdict.recorded > 150
    assert outage.alarms_in_s < 10
