"""Did it come true? A scenario's expectations held against the centre's ledger and alerts, and the ledger against the truth."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from strapline_protocol.definitions import EventCode
from strapline_simulator.report import Expectation as Outcome
from strapline_simulator.scenario import Expectation, Scenario
from strapline_simulator.scenario.details import DetailValue, Span, matches

ARRIVAL_TOLERANCE_S = 0.001


class CentreEvent(NamedTuple):
    """An event as the centre has it; all times in seconds since the scenario's start."""

    t_s: float
    tag: str
    code: str
    at_gateway_s: float
    at_centre_s: float
    detail: Mapping[str, int] = {}
    """Its number by the names of its parts."""


class Shown(NamedTuple):
    """An alert as it stands at the end; times in seconds since the scenario's start."""

    code: str
    raised_s: float
    over_s: float | None
    """When what it tells of was over."""
    is_open: bool
    times: int


class ToldNotice(NamedTuple):
    """What a gateway told, and when it was at the centre, in seconds since the scenario's start."""

    code: str
    at_s: float
    gateway: str = ""
    detail: Mapping[str, int] = {}


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
    notices: Sequence[ToldNotice]
    """What gateways told."""
    absences: Sequence[float]
    """When the centre heard of a tag that had gone."""
    positions: Sequence[float]
    """When each position was at the centre."""
    missing: int
    refused: int = 0
    """Messages between gateways and centre that were not genuine."""
    returns: Sequence[tuple[str, float]] = ()
    """Who came back to a broker that was away, and when."""
    arrivals: Sequence[Arrival] = ()
    """In the order in which the centre had them."""
    heard: Sequence[tuple[float, bytes]] = ()
    """The tag's advertisements, each with its address, where a claim needs them."""
    exported: bool = False
    """Whether the ledger's export reads back as it is."""
    unsound: Sequence[str] = ()
    """What was found wrong, where a scenario asks whether it is sound."""


_NAMES = {int(code): code.name.lower() for code in EventCode}


def event_name(code: int) -> str:
    """An event code's name, or its number where this version does not know it."""
    return _NAMES.get(code, str(code))


def assess(scenario: Scenario, found: Findings) -> list[Outcome]:
    """One outcome for each expectation, in the scenario's order; and one more where nobody must be told of anything."""
    outcomes = [_outcome(scenario, expectation, found) for expectation in scenario.expect]
    return [*outcomes, _quiet(found)] if scenario.quiet else outcomes


def _quiet(found: Findings) -> Outcome:
    codes = sorted({alert.code for alert in found.alerts})
    return _plain("quiet: no alert" + (f" (there are: {', '.join(codes)})" if codes else ""), passed=not codes)


def _outcome(scenario: Scenario, e: Expectation, found: Findings) -> Outcome:
    since = scenario.step_time(e.after) if e.after else None
    if e.claim == "alarms_first":
        return _alarms_first(e, since or 0.0, found.arrivals)
    if e.claim == "heartbeats":
        return _heartbeats(e, since, found)
    if e.claim in _NUMBERS:
        return _NUMBERS[e.claim](e, found)
    text, times = _times(e, found)
    if e.claim in ("positions", "positions_at_most"):
        return _positions(e, since, times)
    if e.claim in ("never", "no_alert", "no_notice"):
        return _none(text, e, since, times)
    return _arrivals(text, e, since, times)


def _times(e: Expectation, found: Findings) -> tuple[str, list[float]]:
    """What a claim is about in words, and when each of it was at the centre."""
    match e.claim:
        case "event" | "never":
            events = [event for event in found.events if event.code == e.argument]
            told = [event.at_centre_s for event in events if matches(e.argument, e.detail, event.detail)]
            return f"event {e.argument}{_with(e)}", told
        case "notice" | "no_notice":
            notices = [notice for notice in found.notices if notice.code == e.argument]
            return f"notice {e.argument}{_with(e)}", [n.at_s for n in notices if matches(None, e.detail, n.detail)]
        case "alert" | "no_alert":
            alerts = [alert for alert in found.alerts if e.argument in (alert.code, "any")]
            return "alert" if e.argument == "any" else f"alert {e.argument}", [alert.raised_s for alert in alerts]
        case "told":
            return f"{e.told} is told", [at for at, role in found.told if role == e.told]
        case "over":
            ends = [alert.over_s for alert in found.alerts if alert.code == e.over and alert.over_s is not None]
            return f"alert {e.over} is marked as over", ends
        case "returned":
            return f"{e.returned} is at the broker again", [at for name, at in found.returns if name == e.returned]
        case "absent":
            return "the gateway misses the tag", list(found.absences)
    return "positions", list(found.positions)


def _with(e: Expectation) -> str:
    if not e.detail:
        return ""
    words = [f"{name} {_value(wanted)}" for name, wanted in e.detail.items()]
    return f" with {', '.join(words)}"


def _value(wanted: DetailValue) -> str:
    if not isinstance(wanted, Span):
        return str(wanted)
    ends = [f"{sign} {end}" for sign, end in (("≥", wanted.at_least), ("≤", wanted.at_most)) if end is not None]
    return " and ".join(ends)


def _open_alerts(e: Expectation, found: Findings) -> Outcome:
    count = sum(alert.is_open for alert in found.alerts)
    return _plain(f"open alerts: {e.open_alerts} (there are {count})", passed=count == e.open_alerts)


def _missing(e: Expectation, found: Findings) -> Outcome:
    return _plain(f"missing: {e.missing} (there are {found.missing})", passed=found.missing == e.missing)


def _refused(e: Expectation, found: Findings) -> Outcome:
    return _plain(f"at least {e.refused} refused (there are {found.refused})", passed=found.refused >= e.argument)


def _apart(e: Expectation, found: Findings) -> Outcome:
    times = sorted(at for _, at in found.returns)
    nearest_s = min((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
    text = f"no two come back within {_length(e.argument)} of each other ({len(times)} do, the nearest {nearest_s:.2f} s apart)"
    return _plain(text, passed=len(times) > 1 and nearest_s >= e.argument)


def _sound(_e: Expectation, found: Findings) -> Outcome:
    first, more = found.unsound[:1], len(found.unsound) - 1
    text = "".join(first) + (f" (and {more} more)" if more > 0 else "")
    return _plain(f"sound: {text}" if first else "sound", passed=not first)


def _same_address(e: Expectation, found: Findings) -> Outcome:
    first: dict[bytes, float] = {}
    kept_s: dict[bytes, float] = {}
    for at, address in found.heard:
        kept_s[address] = at - first.setdefault(address, at)
    longest_s = max(kept_s.values(), default=0.0)
    text = f"no radio address for longer than {_length(e.argument)} ({len(kept_s)} addresses, the longest {longest_s:.0f} s)"
    return _plain(text, passed=len(kept_s) > 1 and longest_s <= e.argument)


def _exported(_e: Expectation, found: Findings) -> Outcome:
    return _plain("the ledger's export reads back as it is, and its seals open", passed=found.exported)


_NUMBERS = {
    "open_alerts": _open_alerts,
    "missing": _missing,
    "refused": _refused,
    "apart": _apart,
    "same_address": _same_address,
    "exported": _exported,
    "sound": _sound,
}


def _heartbeats(e: Expectation, since: float | None, found: Findings) -> Outcome:
    times = _counted(e, since, [at for at, _ in found.heard])
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    rhythm, shortest_s, longest_s = e.argument, min(gaps, default=0.0), max(gaps, default=0.0)
    text = f"heartbeats {_length(rhythm.shortest)} to {_length(rhythm.longest)} apart{_window_words(e)}"
    text += f" ({len(times)}, {shortest_s:.2f} s to {longest_s:.2f} s)"
    inside = rhythm.shortest - ARRIVAL_TOLERANCE_S <= shortest_s and longest_s <= rhythm.longest + ARRIVAL_TOLERANCE_S
    return _plain(text, passed=bool(gaps) and inside and longest_s - shortest_s >= rhythm.spread)


def _positions(e: Expectation, since: float | None, times: Sequence[float]) -> Outcome:
    there = len(_counted(e, since, times))
    bound, passed = ("at least", there >= e.argument) if e.positions is not None else ("at most", there <= e.argument)
    return _plain(f"{bound} {e.argument} positions{_window_words(e)} (there are {there})", passed=passed)


def _none(text: str, e: Expectation, since: float | None, times: Sequence[float]) -> Outcome:
    there = len(_counted(e, since, times))
    found = f" (there are {there})" if there else ""
    return _plain(f"no {text}{_window_words(e)}{found}", passed=not there)


def _counted(e: Expectation, since: float | None, times: Sequence[float]) -> list[float]:
    """Those in the window that `after` and `within` make."""
    first = -math.inf if since is None else since - ARRIVAL_TOLERANCE_S
    last = math.inf if since is None or e.within is None else since + e.within
    return [t for t in times if first <= t <= last]


def _window_words(e: Expectation) -> str:
    if e.within is not None:
        return f" within {_length(e.within)} of {e.after}"
    return f" after {e.after}" if e.after is not None else ""


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
    text = what + _window_words(e)
    counted = [t for t in times if since is None or t >= since - ARRIVAL_TOLERANCE_S]
    latency = max(0.0, round(min(counted) - since, 3)) if counted and since is not None else None
    passed = bool(counted) and (e.within is None or (latency is not None and latency <= e.within))
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
