"""The rig in one test: opened, watched, examined where the test fails, and told of."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from strapline_hil.plugin.examination import examine, unwell
from strapline_hil.plugin.host import Clocks, Moment
from strapline_hil.plugin.judgement import Finding, Judgement, judge, judge_unopened
from strapline_hil.plugin.measurement import Measurement
from strapline_hil.plugin.power import PowerCurve
from strapline_hil.rig.body import RigBody
from strapline_hil.verdict import RigError, SurroundingsError, Verdict
from strapline_simulator.run_notes import Happening


class RigRun:
    """An `Examined` rig."""

    def __init__(self, name: str, folder: Path, clocks: Clocks) -> None:
        self.name = name
        self.folder = folder / _file_name(name)
        self.body: RigBody | None = None
        self.missed: list[str] = []
        self.happenings: list[Happening] = []
        self.measurements: list[Measurement] = []
        self.expectations: list[dict[str, Any]] = []
        self.power = PowerCurve()
        self.judgement: Judgement | None = None
        self.serial_log = ""
        self.outcome = ""
        self.duration_s = 0.0
        self.failures: list[str] = []
        self._clocks = clocks
        self._before = Moment.now(clocks)
        self._is_open = False

    def begin(self, body: RigBody) -> None:
        """The rig is open. Raises the bench's error where it is not well: nothing is asked of the product then."""
        self.body, self._is_open = body, True
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if body.rig.has("meter"):
            self.power.begin(body.rig.meter, virtual=body.rig.file.is_virtual)
        found = unwell(body)
        if found:
            words = "; ".join(finding.words for finding in found)
            mend = f"the test was not begun; `strapline hil check {body.rig.file.path}` goes through the wiring"
            kind = SurroundingsError if found[0].verdict == Verdict.ENVIRONMENT else RigError
            raise kind(f"rig {body.rig.name}", words, mend)

    def end(self) -> None:
        """The test's own part is over: what there is to see is taken before the rig is closed."""
        if self.body is None or not self._is_open:
            return
        self._is_open = False
        self.serial_log = self.body.serial_log
        self.power.finish()

    @property
    def beyond(self) -> list[Measurement]:
        """What has left its limits."""
        return [measurement for measurement in self.measurements if not measurement.within]

    def examine(self) -> Sequence[Finding]:
        if self.body is None or not self._is_open:
            return []
        broken = [Finding(self.power.error.verdict, f"meter: {self.power.error}")] if self.power.error else []
        return [*broken, *examine(self.body)]

    def judge(self, failure: BaseException) -> Judgement:
        """Whose the first failure of the test is."""
        if self.judgement is None:
            if self.body is None:
                self.judgement = judge_unopened(failure)
            else:
                self.judgement = judge(failure, self, self._before, self._clocks)
        return self.judgement


def _file_name(node: str) -> str:
    """Of a test's name, for a folder: `test_a.py::test_b[x]` is `test_a.test_b-x`."""
    plain = re.sub(r"\.py::|::", ".", node).replace("[", "-").rstrip("]")
    return re.sub(r"[^\w.,=+-]+", "-", plain)[-150:]
