"""A random mix of faults laid over a scenario: kinds, times, lengths and arguments from a seed."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from strapline_simulator.scenario import Expectation, Scenario, Step
from strapline_simulator.soundness.spans import BREAKING, key_of

_MIN_S = 60.0
_BEGIN_S = 120.0
"""Faults begin once the tag is armed, as scenarios do it in their first minute."""

TAIL_S = 4500.0
"""After the last fault is mended: a gateway says what has no receipt again within the hour, a client comes back within a minute."""


class _Kind(NamedTuple):
    """One sort of fault: what it is about (of one thing there is one fault at a time), how long it lasts, and how it is said."""

    about: str
    verb: str
    shortest_s: float
    longest_s: float
    begin: Callable[[Random], Any]
    mend: Any = None
    """The argument that mends it; None: it mends itself."""


def _share(low: float, high: float) -> Callable[[Random], float]:
    return lambda draw: round(draw.uniform(low, high), 2)


def _length(low_s: float, high_s: float) -> Callable[[Random], str]:
    return lambda draw: f"{round(draw.uniform(low_s, high_s))}s"


def _noise(draw: Random) -> dict[str, float]:
    return {
        way: round(draw.uniform(0.01, 0.2), 2)
        for way in draw.sample(("flip", "halve", "lose", "double"), draw.randrange(1, 4))
    }


def _reports(draw: Random) -> dict[str, Any]:
    return {
        "double": round(draw.uniform(0, 0.5), 2),
        "late": round(draw.uniform(0, 0.5), 2),
        "by": f"{draw.randrange(1, 6)}s",
    }


def _offset(draw: Random) -> str:
    return f"{draw.choice('+-')}{round(10 ** draw.uniform(1, 4.5))}s"


def _block(draw: Random) -> dict[str, Any]:
    return {"block": draw.randrange(4), "state": draw.choice(("dead", "worn"))}


def _sensors() -> list[_Kind]:
    wrongs: dict[str, tuple[dict[str, Any], ...]] = {
        "skin": ({"stuck": True}, {"fails": True}, {"noise": 20}, {"drift_per_h": -60}),
        "ambient": ({"stuck": True}, {"fails": True}, {"noise": 20}),
        "motion": ({"stuck": True}, {"fails": True}),
        "battery": ({"stuck": True}, {"noise": 3}),
    }

    def begin(of: str) -> Callable[[Random], Any]:
        return lambda draw: {"of": of, **draw.choice(wrongs[of])}

    return [_Kind(f"sensor/{of}", "sensor", 300, 3600, begin(of), {"of": of, "well": True}) for of in wrongs]


_KINDS = [
    _Kind(
        "adapter",
        "adapter",
        30,
        900,
        lambda draw: draw.choice(("deaf", "stuck", "in_progress", "hangs", "gone")),
        "well",
    ),
    _Kind("reports", "radio_reports", 60, 1800, _reports, False),
    _Kind("lines", "line_noise", 60, 1800, _noise, False),
    _Kind("loss", "radio_loss", 60, 1200, _share(0.2, 0.9), 0.05),
    _Kind("cell", "cell", 30, 1200, lambda _draw: False, True),
    _Kind("late cell", "cell_delay", 60, 1800, _length(1, 6), "0s"),
    _Kind("modem", "modem", 60, 1200, lambda draw: draw.choice(("silent", "rejected")), "well"),
    _Kind("receiver", "receiver", 60, 1800, lambda draw: draw.choice(("silent", "garbage", "frozen")), "well"),
    _Kind("flash", "flash_block", 60, 3600, _block, {"block": 0, "state": "well"}),
    _Kind("power", "power_cut", 60, 60, _length(1, 60)),
    _Kind("power", "brown_out", 60, 60, lambda draw: draw.randrange(65)),
    _Kind("gateway clock", "gateway_clock", 60, 3600, _offset, "0s"),
    _Kind("disk", "gateway_disk", 30, 900, lambda _draw: "full", "ok"),
    _Kind("gateway", "gateway_device", 60, 60, lambda draw: draw.choice(("restart", "restart", "swap", "damage"))),
    _Kind("ingress", "ingress_restart", 60, 60, lambda _draw: True),
    _Kind("line", "gateway_line", 10, 1200, lambda _draw: False, True),
    _Kind("queue", "broker_queue", 300, 3600, lambda draw: draw.choice((0, 1, 5, 20)), False),
    _Kind("broker", "broker_forgets", 120, 120, _length(5, 60)),
    _Kind("broker", "stop", 10, 900, lambda _draw: "broker", "broker"),
    _Kind("centre", "stop", 10, 900, lambda _draw: "centre", "centre"),
    _Kind("centre clock", "centre_clock", 60, 3600, _offset, "0s"),
    _Kind("ledger", "ledger_locked", 10, 900, _share(0.2, 1.0), 0.0),
    *_sensors(),
]


class Unit(NamedTuple):
    """Steps that come and go together: a fault and its end, or one of the scenario's own."""

    steps: tuple[Step, ...]


def mixed(scenario: Scenario, seed: int, tail_s: float = TAIL_S) -> tuple[Scenario, list[Unit]]:
    """The scenario with faults of this seed, whose one expectation is that it is sound; and its steps by what belongs together."""
    draw = Random(f"{seed}/{scenario.name}/mix")
    own = [Unit((step,)) for step in scenario.steps if step.verb not in BREAKING]
    own += (
        [Unit(tuple(step for step in scenario.steps if step.verb in BREAKING))]
        if any(s.verb in BREAKING for s in scenario.steps)
        else []
    )
    taken: set[str] = {step.verb for step in scenario.steps}
    taken |= {_OF_THE_SAME.get(key_of(step), "") for step in scenario.steps}
    faults = _draw_faults(draw, scenario.duration_s, taken)
    units = [unit for unit in [*own, *faults] if unit.steps]
    return with_units(scenario, units, tail_s), units


def with_units(scenario: Scenario, units: list[Unit], tail_s: float = TAIL_S, end_s: float | None = None) -> Scenario:
    """These steps alone, in order, then quiet for `tail_s`, at home."""
    steps = sorted((step for unit in units for step in unit.steps), key=lambda step: scenario.seconds_of(step.at))
    last_s = scenario.duration_s if end_s is None else end_s
    duration_s = max([last_s, *(scenario.seconds_of(step.at) for step in steps)]) + tail_s
    goes = any(step.go is not None and step.go.to != "home" for step in steps)
    if goes and "home" in scenario.places:
        back = Step.model_validate({"at": f"{duration_s - tail_s:g}s", "go": {"to": "home", "within": "10min"}})
        steps = [*steps, back]
    changes = {"steps": tuple(steps), "duration": f"{duration_s:g}s", "expect": (Expectation(sound=True),)}
    return Scenario.model_construct(**{name: getattr(scenario, name) for name in Scenario.model_fields} | changes)


def _draw_faults(draw: Random, duration_s: float, taken: set[str]) -> list[Unit]:
    free_at: dict[str, float] = {}
    units = []
    usable = [kind for kind in _KINDS if kind.verb not in taken and f"about {_family(kind.about)}" not in taken]
    for kind in draw.choices(usable, k=draw.randrange(2, 9)):
        about = _family(kind.about)
        earliest = max(_BEGIN_S, free_at.get(about, 0.0))
        latest = duration_s - kind.shortest_s
        if earliest >= latest:
            continue
        begin = round(draw.uniform(earliest, latest))
        end = round(min(duration_s, begin + draw.uniform(kind.shortest_s, kind.longest_s)))
        free_at[about] = end + _MIN_S
        units.append(_unit(kind, begin, end, draw))
    return units


_OF_THE_SAME = {
    "part/broker": "about broker",
    "part/centre": "about centre",
    "part/home": "about gateway",
    "part/ingress": "about ingress",
    "gateway_line": "about gateway",
    "power_cut": "about power",
}
"""What a scenario's own steps break already."""


def _family(about: str) -> str:
    """What must not be broken at the same time: a base station that is killed has no line and no disk."""
    return "gateway" if about in ("gateway", "line", "disk") else about


def _unit(kind: _Kind, begin_s: int, end_s: int, draw: Random) -> Unit:
    argument = kind.begin(draw)
    steps = [Step.model_validate({"at": f"{begin_s}s", kind.verb: argument})]
    if kind.mend is not None:
        verb = "start" if kind.verb == "stop" else kind.verb
        steps.append(Step.model_validate({"at": f"{end_s}s", verb: kind.mend}))
    return Unit(tuple(steps))
