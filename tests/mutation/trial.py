"""One mutant before the scenarios that reach it, until one of them notices."""

import importlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mutation.drawing import Mutant, mutated
from mutation.forking import Said, Tell, limit_cpu
from mutation.modules import source_of
from mutation.reach import RUN, Reached, run
from mutation.replacing import Finder

_TIMES = 5.0
_START_S = 5.0
"""A mutant may take so much processor time: five times what the scenario takes, and this."""


class Verdict(NamedTuple):
    """What became of a mutant."""

    ident: str
    killed: bool
    by: str = ""
    """The scenario that noticed; empty where the module cannot even be imported."""
    how: str = ""
    passed: dict[str, str] = {}  # noqa: RUF012 - of a tuple, and never changed
    """The scenarios that noticed nothing, and their keys."""
    differs: tuple[str, ...] = ()
    """Those of them whose reports are not the same as without the mutant."""


def trial(mutant: Mutant, scenarios: Sequence[Reached]) -> Callable[[Tell], None]:
    """The work for a child process."""

    def work(tell: Tell) -> None:
        limit_cpu(60.0)
        finder = Finder()
        try:
            finder.replace(mutant.module, mutated(mutant, source_of(mutant.module)))
            finder.install()
            importlib.import_module(RUN)
        except Exception as error:  # noqa: BLE001 - whatever a mutant does at its import, it is noticed
            tell({"how": f"import: {type(error).__name__}: {error}"})
            return
        for one in scenarios:
            tell({"begins": one.name})
            limit_cpu(_TIMES * one.cpu_s + _START_S)
            passed, digest, wrong = run(one.name)
            limit_cpu(0)
            tell({"passed": passed, "same": digest == one.digest, "how": wrong or "failed"})
            if not passed:
                return

    return work


def verdict(mutant: Mutant, scenarios: Sequence[Reached], said: Said) -> Verdict:
    """Of what the child has said."""
    keys = {one.name: one.key for one in scenarios}
    passed: dict[str, str] = {}
    differs: list[str] = []
    name = ""
    for line in said.lines:
        if "begins" in line:
            name = line["begins"]
        elif line.get("passed"):
            passed[name] = keys[name]
            differs += [] if line["same"] else [name]
            name = ""
        else:
            return Verdict(mutant.ident, killed=True, by=name, how=line["how"])
    if name:
        return Verdict(mutant.ident, killed=True, by=name, how=_ended(said.exit_code))
    if said.exit_code:
        return Verdict(mutant.ident, killed=True, how=f"import: {_ended(said.exit_code)}")
    return Verdict(mutant.ident, killed=False, passed=passed, differs=tuple(differs))


def _ended(code: int) -> str:
    return "time" if code == -27 else f"crash: ended with {code}"
