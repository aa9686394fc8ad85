"""When something was broken, as a scenario's steps say: from the step that breaks it to the one that mends it."""

from collections.abc import Sequence
from typing import NamedTuple

from strapline_simulator.scenario import Scenario, Step

CALM_S = 900.0
"""After the last fault: R07 has what waited delivered within 15 minutes."""


class Span(NamedTuple):
    """One fault, in seconds since the start."""

    what: str
    begin_s: float
    end_s: float


_LASTING_S = {"power_cut": 5.0, "brown_out": 600.0, "gateway_device": 120.0, "ingress_restart": 120.0, "new_keys": 0.0}
"""Of what mends itself, beside what its argument says; a brown-out waits for the tag's next write."""

_ARGUMENT_LASTS = ("power_cut", "broker_forgets")


def key_of(step: Step) -> str:
    """What a step breaks or mends: two steps of one key are about the same thing."""
    argument = step.argument
    if step.verb in ("stop", "start"):
        return f"part/{argument}"
    if step.verb == "sensor":
        return f"sensor/{argument.of}"
    return step.verb


def is_mend(step: Step) -> bool:
    """Whether things are well after it, as far as its key goes."""
    argument = step.argument
    if step.verb in ("cell", "gateway_line", "gateway_mains"):
        return bool(argument)
    if step.verb in ("sensor", "flash_block"):
        return getattr(argument, "state", None) == "well" or getattr(argument, "well", None) is True
    if step.verb == "radio_loss":
        return float(argument) <= _USUAL_LOSS
    if step.verb == "shelter":
        return bool(argument == "street")
    if step.verb == "sky":
        return bool(argument == "open")
    if step.verb in ("cell_delay", "gateway_clock", "centre_clock", "ledger_locked"):
        return not argument
    return step.verb == "start" or argument is False or argument in ("well", "ok")


_USUAL_LOSS = 0.05

BREAKING = frozenset(
    {
        *(
            "adapter",
            "radio_reports",
            "line_noise",
            "cell_delay",
            "modem",
            "receiver",
            "sensor",
            "flash_block",
            "brown_out",
        ),
        *("gateway_clock", "gateway_disk", "gateway_device", "ingress_restart", "broker_queue", "broker_forgets"),
        *("centre_clock", "ledger_locked", "stop", "start", "cell", "radio_loss", "shelter", "gateway_line"),
        *("power_cut", "noise", "broker_tampers", "new_keys", "update", "gateway_mains"),
    }
)
"""Verbs after which the chain may be slower, or say less."""


def spans_of(scenario: Scenario) -> list[Span]:
    """In the order of their beginning. What nobody mends lasts to the end."""
    spans: list[Span] = []
    open_at: dict[str, float] = {}
    for at, step in sorted(((scenario.seconds_of(s.at), s) for s in scenario.steps), key=lambda pair: pair[0]):
        if step.verb not in BREAKING:
            continue
        key = key_of(step)
        if step.verb in _LASTING_S or step.verb in _ARGUMENT_LASTS:
            lasts = float(step.argument) if step.verb in _ARGUMENT_LASTS else 0.0
            spans.append(Span(key, at, at + lasts + _LASTING_S.get(step.verb, 60.0)))
        elif is_mend(step):
            if key in open_at:
                spans.append(Span(key, open_at.pop(key), at))
        else:
            open_at.setdefault(key, at)
    spans += [Span(key, at, scenario.duration_s) for key, at in open_at.items()]
    return sorted(spans, key=lambda span: (span.begin_s, span.what))


def due_s(at_s: float, spans: Sequence[Span], away: Sequence[tuple[float, float]] = ()) -> float:
    """By when an alarm of this moment must be at the centre: at the end of the first `CALM_S` in one piece in which nothing is broken."""
    calm_since = at_s
    both = sorted([(span.begin_s, span.end_s) for span in spans] + list(away))
    for begin, end in both:
        if begin - calm_since >= CALM_S:
            break
        calm_since = max(calm_since, end)
    return calm_since + CALM_S
