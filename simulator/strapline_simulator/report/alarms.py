"""Which of a run's events are alarms, and which alerts the centre raised on its own account."""

from typing import NamedTuple

from strapline_simulator.report.model import Event, Report
from strapline_simulator.report.story import Story

# Times of one occurrence differ by rounding and by the order of two steps at the centre.
_SLACK_S = 1.0


class Alarms(NamedTuple):
    """What `sort_alarms` found; the indices are those of `report.events`."""

    events: dict[int, str]
    """Index of each event that is an alarm, with the text of its alert ("" without one)."""
    own: list[tuple[float, str, str]]
    """(t_s, code, text) of the alerts that belong to no event."""


def sort_alarms(report: Report, story: Story) -> Alarms:
    """An event is an alarm when it was timed as one or when an alert of its code was raised between its record and its arrival."""
    timed = {(code.casefold(), round(t_s)) for code, t_s, _ in story.alarm_latencies}
    events = {i: "" for i, event in enumerate(report.events) if (event.code.casefold(), round(event.t_s)) in timed}
    own: list[tuple[float, str, str]] = []
    answered: set[int] = set()
    for t_s, code, text in story.alerts:
        match = next((i for i, e in enumerate(report.events) if i not in answered and _answers(e, t_s, code)), None)
        if match is None:
            own.append((t_s, code, text))
        else:
            answered.add(match)
            events[match] = text
    return Alarms(events, own)


def _answers(event: Event, alert_s: float, code: str) -> bool:
    if event.code.casefold() != code.casefold() or alert_s < event.t_s - _SLACK_S:
        return False
    return event.at_centre_s is None or alert_s <= event.at_centre_s + _SLACK_S
