"""What must hold however parts fail: nothing lost, nothing doubled, alarms there once all is mended, no alert without a cause.

It is for runs whose faults make a scenario's own expectations moot. It reads what a run left behind; it runs nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from strapline_protocol.definitions import ALARMS
from strapline_simulator.scenario import Scenario
from strapline_simulator.soundness.causes import has_cause
from strapline_simulator.soundness.spans import due_s, spans_of
from strapline_simulator.world.truth import Truth

_ALARMS = {code.name.lower() for code in ALARMS}

_DARK_S = 3.0
"""Around the loss of power: what was being written then may be gone with it."""


class Heard(NamedTuple):
    """An event in the ledger: its code, its own time, and when it was at the centre, in seconds since the start."""

    code: str
    t_s: float
    at_centre_s: float


class Evidence(NamedTuple):
    """What a run left behind."""

    events: Sequence[Heard]
    truths: Sequence[Truth]
    alerts: Sequence[str]
    """Codes of all that were raised."""
    gaps: Mapping[str, int]
    """Records that must exist and are not in the ledger, by source."""
    waits: Mapping[str, int]
    """What has no receipt at the end, by part."""
    conflicts: int
    dark: Sequence[tuple[float, float]]
    """When the tag had no power."""


class Wrong(NamedTuple):
    """One thing that must not be. `kind` is the same for the same mistake of another run."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


def unsound(scenario: Scenario, found: Evidence) -> list[Wrong]:
    """All that is wrong; empty where the run is sound."""
    wrong = [
        Wrong("lost", f"{count} records of {source} are not in the ledger")
        for source, count in found.gaps.items()
        if count
    ]
    wrong += [Wrong("waits", f"{count} records still wait in {part}") for part, count in found.waits.items() if count]
    if found.conflicts and not _says(scenario, "gateway_device"):
        wrong.append(Wrong("conflict", f"{found.conflicts} records came with another content"))
    wrong += _alarms(scenario, found)
    wrong += _doubled(scenario, found)
    verbs = Counter(step.verb for step in scenario.steps)
    wrong += [
        Wrong(f"causeless {code}", "nothing in the world has caused this alert")
        for code in sorted(set(found.alerts))
        if not has_cause(code, verbs)
    ]
    return wrong


def _says(scenario: Scenario, verb: str) -> bool:
    return any(step.verb == verb for step in scenario.steps)


def _alarms(scenario: Scenario, found: Evidence) -> list[Wrong]:
    """Each alarm that the world made true is in the ledger, and was there in time."""
    spans, wrong, free = spans_of(scenario), [], sorted(found.events, key=lambda event: event.t_s)
    if any(span.what == "sensor/strap" for span in spans):
        return []
    for truth in sorted(found.truths, key=lambda t: (t.latest_s, t.earliest_s)):
        if truth.code not in _ALARMS or truth.code not in _PLAIN or _is_dark(truth.earliest_s, found.dark):
            continue
        due = due_s(truth.latest_s, spans)
        if due > scenario.duration_s:
            continue
        event = next((e for e in free if e.code == truth.code and truth.earliest_s <= e.t_s <= truth.latest_s), None)
        if event is None:
            wrong.append(
                Wrong(f"missing {truth.code}", f"{truth.text} at {truth.earliest_s:.0f} s, and no record tells of it")
            )
            continue
        free.remove(event)
        if event.at_centre_s > due:
            wrong.append(
                Wrong(
                    f"late {truth.code}",
                    f"at {truth.earliest_s:.0f} s, at the centre at {event.at_centre_s:.0f} s, due by {due:.0f} s",
                )
            )
    return wrong


_PLAIN = {"strap_open", "case_open"}
"""Alarms that follow at once from one deed, whatever else is broken."""


def _is_dark(at_s: float, dark: Sequence[tuple[float, float]]) -> bool:
    return any(begin - _DARK_S <= at_s <= end + _DARK_S for begin, end in dark)


def _doubled(scenario: Scenario, found: Evidence) -> list[Wrong]:
    """An opening is told once, and once more by each start that finds the strap open."""
    if any(span.what == "sensor/strap" for span in spans_of(scenario)):
        return []
    deeds = sum(step.cut_strap is not None or step.open_strap is not None for step in scenario.steps)
    told = sum(event.code == "strap_open" for event in found.events)
    if told > deeds + len(found.dark):
        return [Wrong("doubled strap_open", f"{deeds} openings, {len(found.dark)} restarts, and {told} records")]
    return []
