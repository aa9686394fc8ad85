"""A scenario without what it is about: it then must fail, or it shows nothing."""

from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Scenario, Step

_CUT = "the strap that nobody expects"


def without_stimulus(scenario: Scenario) -> Scenario:
    """The steps that are marked `stimulus` do not happen; without a mark, the last one that an expectation names.

    To a quiet scenario a cut strap is added instead. Raises `UserError` where there is nothing to take away.
    """
    steps = _with_a_cut(scenario) if scenario.quiet else _without(scenario)
    return scenario.model_copy(update={"steps": steps})


def _without(scenario: Scenario) -> tuple[Step, ...]:
    away = [index for index, step in enumerate(scenario.steps) if step.stimulus] or _last_named(scenario)
    if not away:
        raise UserError(
            f"scenario {scenario.name}: no expectation names a step: mark what it is about with `stimulus: true`, "
            "or say `quiet: true` where nobody must be told"
        )
    return tuple(_emptied(step) if index in away else step for index, step in enumerate(scenario.steps))


def _last_named(scenario: Scenario) -> list[int]:
    named = {expectation.after for expectation in scenario.expect if expectation.after}
    found = [(scenario.seconds_of(s.at), index) for index, s in enumerate(scenario.steps) if s.label in named]
    return [max(found)[1]] if found else []


def _emptied(step: Step) -> Step:
    """Nothing happens, at the same moment and by the same name."""
    return Step(at=step.at, name=step.label, note=f"without its stimulus: no {step.verb.replace('_', ' ')}")


def _with_a_cut(scenario: Scenario) -> tuple[Step, ...]:
    """In the middle of the time in which the tag is armed; it is armed for it where it never is."""
    arms = [scenario.seconds_of(step.at) for step in scenario.steps if step.present_key == "arm"]
    ends = [scenario.seconds_of(step.at) for step in scenario.steps if step.present_key == "disarm"]
    armed_s = arms[-1] if arms else 0.0
    end_s = min([end for end in ends if end > armed_s], default=scenario.duration_s)
    cut = Step(at=f"{(armed_s + end_s) / 2:.3f}s", name=_CUT, cut_strap=True)
    first = () if arms else (Step(at="1s", present_key="arm"),)
    return (*first, *scenario.steps, cut)
