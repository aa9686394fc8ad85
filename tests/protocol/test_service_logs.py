"""A service's log: one event a line, for programs and for people."""

import io
import json
import logging
from datetime import UTC, datetime

import pytest

from strapline_protocol import service_logs as logs


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(form, level="info", say=lambda log: log.warning("the %s is gone\nfor good", "radio")):
    stream = io.StringIO()
    logs.configure(form, level, stream)
    say(logging.getLogger("strapline_gateway.ble"))
    return stream.getvalue()


def test_json_is_one_object_a_line_with_its_time_in_utc():
    (line,) = written("json").splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["part"]) == ("the radio is gone\nfor good", "warning", "ble")
    assert event["timestamp"].endswith("Z")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(event["timestamp"])).total_seconds()) < 60


def test_logfmt_is_one_line_and_begins_with_the_time():
    (line,) = written("auto").splitlines()  # no terminal
    assert line.startswith("timestamp=")
    assert 'event="the radio is gone\\nfor good"' in line


def test_an_exception_is_part_of_its_event():
    def say(log):
        try:
            raise ValueError("odd")
        except ValueError:
            log.exception("failed")

    (line,) = written("json", say=say).splitlines()
    assert "ValueError: odd" in json.loads(line)["exception"]


def test_the_level_is_kept_and_can_change():
    def say(log):
        log.info("no")
        logs.set_level("debug")
        log.debug("yes")

    assert [json.loads(line)["event"] for line in written("json", "warning", say).splitlines()] == ["yes"]


def test_to_configure_again_does_not_double_the_lines():
    logs.configure("json", "info", io.StringIO())
    assert len(written("json").splitlines()) == 1
