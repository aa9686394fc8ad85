"""What came of one scenario of a catalogue run."""

from typing import Any, Literal, NamedTuple

from strapline_simulator.scenario import Scenario
from strapline_simulator.simulation import Options

Verdict = Literal["passed", "failed", "error", "skipped"]


class Outcome(NamedTuple):
    """One scenario, run or skipped."""

    name: str
    title: str
    path: str
    """What `strapline run` takes to run it alone."""
    rows: tuple[str, ...]
    quiet: bool
    verdict: Verdict
    seed: int
    body: str
    simulated_s: float
    wall_s: float = 0.0
    digest: str = ""
    """Of the whole report, without times of the clock on the wall."""
    frames_digest: str = ""
    expectations: int = 0
    failures: tuple[str, ...] = ()
    """The expectations that did not come true, or what went wrong."""
    reason: str = ""
    """Why it was skipped."""
    alerts: tuple[str, ...] = ()
    """The codes of the alerts."""
    page: str = ""
    """Its report.html, from the folder of the run."""
    without_stimulus: bool = False
    air: str = "ble"

    @property
    def well(self) -> bool:
        """Passed or skipped."""
        return self.verdict in ("passed", "skipped")

    @property
    def command(self) -> str:
        """What runs it alone."""
        extra = "" if self.air == "ble" else f" --air {self.air}"
        extra += " --without-stimulus" if self.without_stimulus else ""
        return f"strapline run {self.path} --on {self.body} --seed {self.seed}{extra}"

    def as_json(self) -> dict[str, Any]:
        return {**self._asdict(), "command": self.command}


def outcome_of(scenario: Scenario, path: str, options: Options, verdict: Verdict, **more: Any) -> Outcome:
    """With what is known of a scenario before it has run."""
    fixed = scenario.name, scenario.title, path, scenario.rows, scenario.quiet
    seed = scenario.seed if options.seed is None else options.seed
    return Outcome(*fixed, verdict, seed, options.body, scenario.duration_s, air=options.air, **more)
