"""Did it come true? A scenario's expectations held against the centre's ledger and alerts, and the ledger against the truth."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from strapline_protocol.definitions import EventCode
from strapline_simulator.report import Expectation as Outcome
from strapline_simulator.scenario import Expectation, Scenario

ARRIVAL_TOLERANCE_S = 0.001


class CentreEvent(NamedTuple):
    """An event as the centre has it; all times in seconds since the scenario's start."""

    t_s: float
    tag: str
    code: str
    at_gateway_s: float
    at_centre_s: float


class Shown(NamedTuple):
    """An alert as it stands at the end; times in seconds since the scenario's start."""

    code: str
    raised_s: float
    over_s: float | None
    """When what it tells of was over."""
    is_open: bool
    times: int


class Arrival(NamedTuple):
    """A record of any kind, as a gateway had it and as it came to the centre; times in seconds since the scenario's start."""

    gateway: str
    at_gateway_s: float
    at_centre_s: float
    is_alarm: bool


class Findings(NamedTuple):
    """What a run left behind, for expectations to be held against."""

    events: Sequence[CentreEvent]
    alerts: Sequence[Shown]
    """All that the centre raised."""
    told: Sequence[tuple[float, str]]
    """When a role was told of an alert, for the first time or because nobody had acknowledged it."""
    notices: Sequence[tuple[str, float]]
    """What gateways told: code, and when it was at the centre."""
    absences: Sequence[float]
    """When the centre heard of a tag that had gone."""
    positions: int
    missing: int
    refused: int = 0
    """Messages between gateways and centre that were not genuine."""
    returns: Sequence[tuple[str, float]] = ()
    """Who came back to a broker that was away, and when."""
    arrivals: Sequence[Arrival] = ()
    """In the order in which the centre had them."""


_NAMES = {int(code): code.name.lower() for code in EventCode}


def event_name(code: int) -> str:
    """An event code's name, or its number where this version does not know it."""
    return _NAMES.get(code, str(code))


def assess(scenario: Scenario, found: Findings) -> list[Outcome]:
    """One outcome for each expectation, in the scenario's order."""
    return [_outcome(scenario, expectation, found) for expectation in scenario.expect]


def _outcome(scenario: Scenario, e: Expectation, found: Findings) -> Outcome:
    since = scenario.step_time(e.after) if e.after else None
    if e.event is not None:
        return _arrivals(f"event {e.event}", e, since, [ev.at_centre_s for ev in found.events if ev.code == e.event])
    if e.absent is not None:
        return _arrivals("the gateway misses the tag", e, since, found.absences)
    if e.notice is not None:
        return _arrivals(f"notice {e.notice}", e, since, [at for code, at in found.notices if code == e.notice])
    if e.no_notice is not None:
        return _plain(f"no notice {e.no_notice}", passed=all(code != e.no_notice for code, _ in found.notices))
    if e.never is not None:
        return _plain(f"no event {e.never}", passed=all(event.code != e.never for event in found.events))
    if e.alert is not None:
        return _alert(e, since, [alert for alert in found.alerts if alert.code == e.alert])
    if e.told is not None:
        return _arrivals(f"{e.told} is told", e, since, [at for at, role in found.told if role == e.told])
    if e.over is not None:
        ends = [alert.over_s for alert in found.alerts if alert.code == e.over and alert.over_s is not None]
        return _arrivals(f"alert {e.over} is marked as over", e, since, ends)
    if e.open_alerts is not None:
        count = sum(alert.is_open for alert in found.alerts)
        return _plain(f"open alerts: {e.open_alerts} (there are {count})", passed=count == e.open_alerts)
    if e.no_alert is not None:
        codes = [alert.code for alert in found.alerts]
        bad = codes if e.no_alert == "any" else [code for code in codes if code == e.no_alert]
        return _plain("no alert" if e.no_alert == "any" else f"no alert {e.no_alert}", passed=not bad)
    if e.positions is not None:
        return _plain(
            f"at least {e.positions} positions (there are {found.positions})", passed=found.positions >= e.positions
        )
    if e.refused is not None:
        return _plain(f"at least {e.refused} refused (there are {found.refused})", passed=found.refused >= e.refused)
    if e.returned is not None:
        times = [at for name, at in found.returns if name == e.returned]
        return _arrivals(f"{e.returned} is at the broker again", e, since, times)
    if e.apart is not None:
        return _apart(e.apart, sorted(at for _, at in found.returns))
    if e.alarms_first is not None:
        return _alarms_first(e, since or 0.0, found.arrivals)
    if e.positions_at_most is not None:
        return _plain(
            f"at most {e.positions_at_most} positions (there are {found.positions})",
            passed=found.positions <= e.positions_at_most,
        )
    return _plain(f"missing: {e.missing} (there are {found.missing})", passed=found.missing == e.missing)


def _alert(e: Expectation, since: float | None, alerts: Sequence[Shown]) -> Outcome:
    if since is None and e.count is None and e.at_least is None:
        return _plain(f"alert {e.alert}", passed=bool(alerts))
    return _arrivals(f"alert {e.alert}", e, since, [alert.raised_s for alert in alerts])


def _apart(least_s: float, times: Sequence[float]) -> Outcome:
    nearest_s = min((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
    text = f"no two come back within {_length(least_s)} of each other ({len(times)} do, the nearest {nearest_s:.2f} s apart)"
    return _plain(text, passed=len(times) > 1 and nearest_s >= least_s)


def _alarms_first(e: Expectation, since: float, arrivals: Sequence[Arrival]) -> Outcome:
    """Gateway by gateway; where nothing but alarms, or none, waited, nothing was shown."""
    backlog: dict[str, list[bool]] = {}
    for arrival in arrivals:
        if arrival.at_gateway_s < since <= arrival.at_centre_s:
            backlog.setdefault(arrival.gateway, []).append(arrival.is_alarm)
    alarms = sum(sum(lanes) for lanes in backlog.values())
    others = sum(map(len, backlog.values())) - alarms
    in_order = all(lanes == sorted(lanes, reverse=True) for lanes in backlog.values())
    text = f"alarms first after {e.after} ({alarms} waited, and {others} others)"
    return _plain(text, passed=bool(alarms and others) and in_order)


def _plain(text: str, *, passed: bool) -> Outcome:
    return Outcome(text=text, passed=passed, latency_s=None)


def _arrivals(what: str, e: Expectation, since: float | None, times: Sequence[float]) -> Outcome:
    text = what
    counted = [t for t in times if since is None or t >= since - ARRIVAL_TOLERANCE_S]
    latency = max(0.0, round(min(counted) - since, 3)) if counted and since is not None else None
    passed = bool(counted)
    if e.within is not None:
        text += f" within {_length(e.within)} of {e.after}"
        passed = passed and latency is not None and latency <= e.within
    elif e.after is not None:
        text += f" after {e.after}"
    if e.count is not None:
        text += f", exactly {e.count} (there are {len(counted)})"
        passed = passed and len(counted) == e.count
    if e.at_least is not None:
        text += f", at least {e.at_least} (there are {len(counted)})"
        passed = passed and len(counted) >= e.at_least
    return Outcome(text=text, passed=passed, latency_s=latency)


def _length(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
