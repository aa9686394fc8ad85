"""Scenarios as tests: one test each, named after its file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from strapline_hil.plugin.opening import play, shipped_for_rigs, why_not
from strapline_hil.plugin.run import RigRun
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.needs import needs_of
from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.selection import choose, lacking
from strapline_simulator.scenario import Scenario, load_scenario

FOR_RIGS = "hil"
_LOOKS_LIKE_ONE = re.compile(r"^(title|duration|expect):", re.MULTILINE)
_KEYS = {"title", "duration", "expect"}


class Bench(Protocol):
    """Who opens the rig for an item, and closes it when the item has been judged."""

    air: str
    keeps_all: bool
    file: RigFile

    def open(self, item: pytest.Item) -> tuple[RigRun, RigBody]: ...


class UnmetError(AssertionError):
    """A scenario's expectations did not come true."""


class ScenarioItem(pytest.Item):
    """One scenario on the rig."""

    def __init__(self, *, path: Path, scenario: Scenario, bench: Bench, **named: Any) -> None:
        super().__init__(**named)
        self.path = path
        self.scenario = scenario
        self._bench = bench
        if words := sorted(needs_of(scenario)):
            self.add_marker(pytest.mark.needs(*words))
        self.user_properties.append(("rows", " ".join(scenario.rows)))

    def setup(self) -> None:
        reason = lacking(self.scenario) or why_not(
            self.scenario, self._bench.file, self.config.getoption("--rig-minutes")
        )
        if reason:
            pytest.skip(reason)

    def runtest(self) -> None:
        run, body = self._bench.open(self)
        result = play(run, body, self.scenario, self._bench.air, metered=self._bench.keeps_all)
        report = result.report
        run.expectations = [outcome.model_dump() for outcome in report.expectations]
        self.user_properties.append(("frames_digest", report.frames_digest))
        if not result.passed:
            missing = [f"missing: {truth.code} ({truth.text})" for truth in result.unmet]
            unmet = [outcome.text for outcome in report.expectations if not outcome.passed]
            raise UnmetError("\n".join([*unmet, *missing]))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        error = excinfo.value
        if isinstance(error, UnmetError):
            return "\n".join(f"FAIL {line}" for line in str(error).splitlines())
        if isinstance(error, UserError):
            return str(error)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"scenario: {self.scenario.name}"


class ScenarioFile(pytest.File):
    """One file, one scenario."""

    bench: Bench

    def collect(self) -> Iterator[ScenarioItem]:
        try:
            scenario = load_scenario(str(self.path))
        except UserError as error:
            raise self.CollectError(str(error)) from None
        yield ScenarioItem.from_parent(self, name=scenario.name, path=self.path, scenario=scenario, bench=self.bench)


class Chosen(pytest.Collector):
    """What `--scenarios` asks for."""

    scenarios: list[Scenario]
    bench: Bench

    def collect(self) -> Iterator[ScenarioItem]:
        for scenario in self.scenarios:
            path = Path(scenario.folder, f"{scenario.name}.yaml")
            yield ScenarioItem.from_parent(self, name=scenario.name, path=path, scenario=scenario, bench=self.bench)


def looks_like_one(path: Path) -> bool:
    """Whether a YAML file that nobody has named is a scenario: by the keys that each has."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return set(_LOOKS_LIKE_ONE.findall(text)) == _KEYS


def chosen(session: pytest.Session, bench: Bench, which: list[str]) -> Iterator[pytest.Item]:
    """The tests that `--scenarios` asks for. Raises `UserError` where something is asked for that is none."""
    names = [name for one in which for name in (shipped_for_rigs() if one == FOR_RIGS else [one])]
    if names:
        made = Chosen.from_parent(session, name="scenarios", nodeid="scenarios")
        made.scenarios = [one.scenario for one in choose(list(dict.fromkeys(names)))]
        made.bench = bench
        yield from session.genitems(made)
