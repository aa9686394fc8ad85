"""What a gateway tells those who watch it, made from vitals."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from strapline_gateway.metrics import ROWS, Metrics, reference
from strapline_gateway.vitals import (
    BrokerVitals,
    CentreVitals,
    LinkVitals,
    OutboxVitals,
    Traffic,
    Vitals,
    plain,
    troubles,
)

DOCS = Path(__file__).parents[2] / "docs"

OUTBOX = OutboxVitals(2, 30, 12.5, 4096, 1 << 20, 7, 1, True)
LINK = LinkVitals("ble:", "deaf", 1, 91.0, 2, {"InProgress": 3})
WELL = Vitals(
    gateway="6a7e0001",
    version="1.2",
    profile="home",
    pid=1,
    started="2026-01-01T00:00:00.000Z",
    started_utc_s=1767225600.0,
    uptime_s=60.0,
    clock="synchronised",
    broker=BrokerVitals("broker:8883", True, "", 29.5),
    centre=CentreVitals(3.0, False),
    outbox=OUTBOX,
    traffic=Traffic(50, 40, 1, 900, {"unknown_tag": 5}, {"forged": 2}),
    links=(LINK._replace(state="up"),),
    tags=(),
)


def samples(vitals):
    page = Metrics(lambda: vitals).page().decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_prometheus_reads_the_page_and_finds_every_row():
    found = samples(WELL)
    assert {name for name, *_ in found} == {row.full_name for row in ROWS}
    assert found["strapline_gateway_outbox_records", "history"] == 30
    assert found["strapline_gateway_rejected_total", "broker", "forged"] == 2
    assert found["strapline_gateway_rejected_total", "radio", "unknown_tag"] == 5
    assert found["strapline_gateway_link_failures_total", "InProgress", "ble:"] == 3
    assert found["strapline_gateway_certificate_days",] == 29.5
    assert found["strapline_gateway_clock_synchronised",] == 1


def test_what_is_not_known_is_not_there():
    unknown = WELL._replace(broker=WELL.broker._replace(certificate_days=None), centre=CentreVitals(None, False))
    names = {name for name, *_ in samples(unknown)}
    assert not names & {"strapline_gateway_certificate_days", "strapline_gateway_centre_silent_seconds"}


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"broker": BrokerVitals("b:1", False, "Connection refused")}, ["broker_away"]),
        ({"broker": BrokerVitals("b:1", False, ""), "centre": CentreVitals(900.0, True)}, ["broker_away"]),
        ({"centre": CentreVitals(900.0, True)}, ["centre_silent"]),
        ({"outbox": OUTBOX._replace(writable=False)}, ["disk"]),
        ({"outbox": OUTBOX._replace(oldest_alarm_s=241.0)}, ["alarm_overdue"]),
        ({"links": (LINK, LINK._replace(name="serial:x", state="down"))}, ["link_deaf", "link_down"]),
        ({"links": (LINK._replace(state="quiet"),)}, []),
    ],
)
def test_a_gateway_is_ready_or_says_why_it_is_not(change, codes):
    assert [trouble.code for trouble in troubles(WELL._replace(**change), 240.0)] == codes


def test_vitals_are_plain_json_by_name():
    told = plain(WELL)
    assert told["outbox"]["oldest_alarm_s"] == 12.5
    assert told["links"][0]["failures"] == {"InProgress": 3}


def test_the_table_in_the_documentation_is_the_code_s():
    assert reference() in (DOCS / "gateway.md").read_text()
