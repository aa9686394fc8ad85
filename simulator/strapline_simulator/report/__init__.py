"""What a run found: `report.json`, its schema, and a page for people."""

from strapline_simulator.report.model import (
    SCHEMA_VERSION,
    AlarmLatency,
    Event,
    Expectation,
    Frames,
    GatewayNotice,
    Heap,
    Ledger,
    Position,
    RaisedAlert,
    Report,
    latency_summary,
    utc_text,
)
from strapline_simulator.report.page import render_html
from strapline_simulator.report.story import Story

__all__ = [
    "SCHEMA_VERSION",
    "AlarmLatency",
    "Event",
    "Expectation",
    "Frames",
    "GatewayNotice",
    "Heap",
    "Ledger",
    "Position",
    "RaisedAlert",
    "Report",
    "Story",
    "latency_summary",
    "render_html",
    "utc_text",
]
