"""What the plugin does while a rig is given: opens it for a test, judges a failure before it is closed, and tells of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from strapline_hil.plugin import summary
from strapline_hil.plugin.evidence import keep, record_of
from strapline_hil.plugin.host import HOST
from strapline_hil.plugin.judgement import bench_error
from strapline_hil.plugin.measurement import recorder
from strapline_hil.plugin.opening import make_session, open_body
from strapline_hil.plugin.page import render_page
from strapline_hil.plugin.run import RigRun
from strapline_hil.plugin.scenarios import ScenarioFile, ScenarioItem, chosen, looks_like_one
from strapline_hil.plugin.words import check_words, lacking
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import RigFile, load_rig
from strapline_hil.rig.session import RigSession
from strapline_protocol.errors import UserError

RUN = pytest.StashKey[RigRun]()
_YAML = (".yaml", ".yml")


def open_bench(config: pytest.Config, given: Path) -> "RigBench":
    """Raises `pytest.UsageError` for a rig file that is none, and for what does not go together."""
    try:
        file = load_rig(given)
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    if not file.is_virtual and config.getoption("numprocesses", None):
        raise pytest.UsageError(f"rig {file.rig} is real: one rig, one process; leave out -n")
    if config.getoption("--scenarios") and config.args_source != pytest.Config.ArgsSource.ARGS:
        config.args = []  # nobody has named a path: the scenarios alone
    return RigBench(config, file)


class RigBench:
    """A plugin of pytest's; each hook is told by it."""

    def __init__(self, config: pytest.Config, file: RigFile) -> None:
        self.file = file
        self.air: str = config.getoption("--rig-air")
        self.keeps_all: bool = config.getoption("--rig-keep") == "all"
        self.records: list[dict[str, Any]] = []
        self._config = config
        self._folder = Path(config.getoption("--rig-out"))
        self._clocks = config.hook.pytest_strapline_clocks() or HOST

    # What items and fixtures ask for.

    def run_of(self, item: pytest.Item) -> RigRun:
        """The rig's part in this test."""
        if RUN not in item.stash:
            item.stash[RUN] = RigRun(item.nodeid, self._folder, self._clocks)
        return item.stash[RUN]

    def open(self, item: pytest.Item) -> tuple[RigRun, RigBody]:
        """The rig for one test; it is closed at the test's end, after a failure has been judged."""
        run = self.run_of(item)
        body: RigBody = item.ihook.pytest_strapline_open_rig(file=self.file, item=item) or open_body(self.file)
        item.addfinalizer(body.close)
        run.begin(body)
        return run, body

    def session(self, item: pytest.Item) -> Iterator[RigSession]:
        """For the fixtures."""
        run, body = self.open(item)
        session = make_session(run, body, self.air)
        item.addfinalizer(session.close)
        session.open()
        yield session

    def measure(self, item: pytest.Item) -> Callable[..., float]:
        return recorder(self.run_of(item).measurements)

    # Collection.

    def pytest_report_header(self) -> str:
        kind = "virtual" if self.file.is_virtual else self.file.target.port
        drivers = ", ".join(part.driver for part in self.file.instruments.values()) or "no instrument"
        return f"rig: {self.file.rig} ({self.file.path}), {self.file.target.board}, {kind}: {drivers}"

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        named = parent.session.isinitpath(file_path)
        if file_path.suffix not in _YAML or not (named or looks_like_one(file_path)):
            return None
        found = ScenarioFile.from_parent(parent, path=file_path)
        found.bench = self
        return found

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        try:
            items += chosen(session, self, self._config.getoption("--scenarios"))
            for item in items:
                check_words(_needs(item), item.nodeid)
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    # A test.

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        missing = lacking(_needs(item), self.file)
        if missing:
            pytest.skip(f"rig {self.file.rig} has no {', '.join(missing)}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        yield
        run = item.stash.get(RUN, None)
        if run is not None and run.beyond:
            pytest.fail("\n".join(f"beyond its limits: {one}" for one in run.beyond), pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = yield
        run = item.stash.get(RUN, None)
        if run is None:
            return report
        if report.failed and call.excinfo is not None:
            self._judge(item, run, call.excinfo, report)
        run.outcome = "failed" if report.failed else run.outcome or ("skipped" if report.skipped else "")
        run.duration_s += call.duration
        if call.when == "call" or report.failed:
            run.end()
        if call.when == "teardown":
            self._tell(item, run, report)
        return report

    def _judge(
        self, item: pytest.Item, run: RigRun, failure: pytest.ExceptionInfo[BaseException], report: pytest.TestReport
    ) -> None:
        is_first = run.judgement is None
        judgement = run.judge(failure.value)
        if is_first:
            item.user_properties += [("verdict", str(judgement.verdict)), ("verdict_why", judgement.why)]
        said = bench_error(failure.value) is not None or isinstance(failure.value, UserError)
        summary.mark(report, judgement, said=said, where=_where(item, failure))
        run.failures.append(report.longreprtext)

    def _tell(self, item: pytest.Item, run: RigRun, report: pytest.TestReport) -> None:
        item.user_properties += [("measurement", str(one)) for one in run.measurements]
        report.user_properties = list(item.user_properties)
        kept = keep(run, everything=self.keeps_all)
        title = item.scenario.title if isinstance(item, ScenarioItem) else ""
        report.rig_record = record_of(run, title, kept)  # type: ignore[attr-defined]  # pytest carries it over processes

    # The end.

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        record = getattr(report, "rig_record", None)
        if record is not None:
            self.records.append(record)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        summary.write(terminalreporter, self.records)
        given = self._config.getoption("--rig-report")
        if given:
            page = Path(given)
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(render_page(self.file, self.records), encoding="utf-8")
            terminalreporter.write_line(f"rig report: {page}")


def _needs(item: pytest.Item) -> list[str]:
    return [str(word) for mark in item.iter_markers("needs") for word in mark.args]


def _where(item: pytest.Item, failure: pytest.ExceptionInfo[BaseException]) -> str:
    """The line of the test that it failed in; empty for a scenario."""
    lines = [entry for entry in failure.traceback if Path(entry.path) == item.path]
    return f"{item.path.name}:{lines[-1].lineno + 1}" if lines else ""
