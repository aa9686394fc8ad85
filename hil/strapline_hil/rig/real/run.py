"""A scenario on a real rig, at the pace of the wall: what of it such a rig cannot do, and how it went."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from strapline_hil.rig.file import RigFile
from strapline_hil.rig.needs import beyond_any_rig, needs_of, simulated_only
from strapline_hil.rig.real.dut import RealBody
from strapline_hil.rig.real.session import RealSession
from strapline_simulator.conclusion import Circumstances, Conclusion
from strapline_simulator.run_notes import Happening
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.expectation import Expectation
from strapline_simulator.scenario.quantities import day_and_time
from strapline_simulator.scenario.sections import TagMemory
from strapline_simulator.simulation import Beside, Result
from strapline_simulator.soundness.verdict import unsound
from strapline_simulator.witness import Witness
from strapline_simulator.world.truth import Truth

LIMIT_S = 1800.0
"""What takes longer is asked for."""

SLACK_S = 5.0
"""A board takes its time to start and to advertise, and when it was only its records tell, all a little late."""

_SAME_DEED_S = 1.5
_CLAIMS_OF_THE_AIR = {"heartbeats", "same_address"}
_BY_THE_CLOCK = {"curfew", "gateway_schedule"}


def why_not(scenario: Scenario, file: RigFile, limit_s: float = LIMIT_S) -> str:
    """What keeps this scenario off this rig, in a line; empty where nothing does."""
    if beyond := beyond_any_rig(scenario) | simulated_only(scenario):
        return f"only a simulation does {', '.join(sorted(beyond))}"
    if lacking := needs_of(scenario) - file.drivers:
        return f"rig {file.rig} has no {', '.join(sorted(lacking))}"
    if simulated := sorted(_simulated_around(scenario)):
        return f"only a simulation has {', '.join(simulated)}"
    if claims := {expectation.claim for expectation in scenario.expect} & _CLAIMS_OF_THE_AIR:
        return f"nobody on a real rig sees each advertisement, as {', '.join(sorted(claims))} would"
    if _goes_by_the_clock(scenario):
        return "it goes by the time of day, and a real rig lives now"
    if scenario.settings != file.target.settings:
        return f"its tag has {_words(scenario.settings)}, and that of the rig {_words(file.target.settings)}"
    if scenario.duration_s > limit_s:
        return f"it takes {scenario.duration_s / 60:.0f} min on the wall's clock, more than {limit_s / 60:.0f}: --rig-minutes allows it"
    return ""


def _words(settings: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {int(value)}" for name, value in settings.items()) or "the firmware's own settings"


def _simulated_around(scenario: Scenario) -> set[str]:
    station = scenario.gateway
    there = {
        "neighbours": scenario.neighbours,
        "dead spots": scenario.cells,
        "a receiver's log": scenario.gnss_log,
        "a reach": station.reach,
        "outages of mains and line": (*station.mains_out, *station.line_out),
        "days": (*scenario.wearer.day, *((scenario.wearer.track,) if scenario.wearer.track else ())),
        "a tag's past": scenario.tag_memory != TagMemory(),
        "shelters": any(place.shelter for place in scenario.places.values()),
    }
    return {name for name, value in there.items() if value}


def _goes_by_the_clock(scenario: Scenario) -> bool:
    timed = any(day_and_time(step.at) is not None for step in scenario.steps)
    return timed or bool(scenario.wearer.may_leave) or any(step.verb in _BY_THE_CLOCK for step in scenario.steps)


def run_real(
    body: RealBody,
    scenario: Scenario,
    *,
    folder: Path | None = None,
    watch: Callable[[Happening], None] | None = None,
    beside: Beside | None = None,
) -> Result:
    """At the wall's pace; the body stays open. Raises `BenchError` for what the rig does not do."""
    run = RealRun(body, scenario, folder, beside)
    if watch is not None:
        run.notes.watch = watch
    try:
        run.open()
        return run.finish()
    finally:
        run.end()


class RealRun(RealSession):
    """A session that plays a scenario to its end."""

    def finish(self) -> Result:
        """Wait for the end; gives what came of it."""
        began = time.perf_counter()
        self._loop.run(self._until(self._play.done, self.scenario.duration_s + SLACK_S))
        self._raise_failure()
        return self._loop.run(self._conclude(time.perf_counter() - began))

    def _begin(self) -> None:
        self._witness = Witness(self.scenario)
        self.script.observe = lambda t, text: self.notes.watch(Happening(t, "world", text))
        super()._begin()

    async def _conclude(self, wall_s: float) -> Result:
        chain, notes, duration_s = self.chain, self.notes, self.scenario.duration_s
        notes.conclude(chain)
        self._witness.conclude(chain.ledger, [chain.centre_process.keys])
        stamps = self._stamps(notes.entries)
        notes.entries = [(at_s, entry) for at_s, entry in notes.entries if stamps.is_ours(entry)]
        asked = [(begin - chain.clocks.origin_s, end - chain.clocks.origin_s) for begin, end in self.body.asked]
        scenario = _with_patience(self.scenario, asked)
        self.script.truths = [_with_slack(truth, asked) for truth in self.script.truths]
        conclusion = Conclusion(scenario, chain, self.script, notes, self._witness, stamp=stamps.of)
        wrong = []
        if any(expectation.sound for expectation in scenario.expect):
            wrong = unsound(scenario, conclusion.evidence({}))
        unmet = conclusion.unmet(duration_s)
        conclusion.tell_story(duration_s)
        run = Circumstances(self._seed, self.body.name, self.rig.file.gateway.broker, duration_s, round(wall_s, 3))
        return Result(conclusion.report(run, unmet, wrong), self.script.story, unmet, {}, tuple(wrong))


def _with_patience(scenario: Scenario, asked: Sequence[tuple[float, float]]) -> Scenario:
    """What a person was asked for happened somewhen until it was done: whatever must follow within a time has so much more."""
    waited_s = {
        step.label: waited for step in scenario.steps if (waited := _waited_s(scenario.seconds_of(step.at), asked))
    }

    def patient(expectation: Expectation) -> Expectation:
        more_s = waited_s.get(expectation.after or "", 0.0)
        if expectation.within is None or not more_s:
            return expectation
        return expectation.model_copy(update={"within": round(expectation.within + more_s, 1)})

    return scenario.model_copy(update={"expect": tuple(patient(expectation) for expectation in scenario.expect)})


def _waited_s(at_s: float, asked: Sequence[tuple[float, float]]) -> float:
    """For the person who was asked then."""
    return next((end - begin for begin, end in asked if abs(begin - at_s) < _SAME_DEED_S), 0.0)


def _with_slack(truth: Truth, asked: Sequence[tuple[float, float]]) -> Truth:
    waited_s = _waited_s(truth.earliest_s, asked)
    return truth._replace(earliest_s=truth.earliest_s - 1.0, latest_s=truth.latest_s + waited_s + SLACK_S)
