"""A case in the words of a catalogue run."""

from collections.abc import Sequence

from strapline_simulator.catalogue.outcome import Outcome, outcome_of
from strapline_simulator.conform.case import Case
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options


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
