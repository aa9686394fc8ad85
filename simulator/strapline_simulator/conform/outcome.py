"""What came of one scenario on two bodies, in the words of a catalogue run."""

from collections.abc import Sequence
from typing import NamedTuple

from strapline_simulator.catalogue.outcome import Outcome, outcome_of
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options


class Case(NamedTuple):
    """One scenario; `reason`: why it was not run."""

    path: str
    reason: str = ""
    failures: tuple[str, ...] = ()
    """What was told of the first difference, line by line."""
    digest: str = ""
    wall_s: float = 0.0


class _Conformed(Outcome):
    """An outcome that another command gives again."""

    @property
    def command(self) -> str:
        return f"strapline conform {self.path} {self.body} --seed {self.seed}"


def conformed(case: Case, bodies: Sequence[str], seed: int | None) -> Outcome:
    """A case as JUnit takes it."""
    failures = ("\n".join(case.failures),) if case.failures else ()
    return _Conformed(
        *outcome_of(
            load_scenario(case.path),
            case.path,
            Options(body=" ".join(f"--on {body}" for body in bodies), seed=seed),
            "skipped" if case.reason else "failed" if failures else "passed",
            failures=failures,
            reason=case.reason,
            frames_digest=case.digest,
            wall_s=case.wall_s,
        )
    )
