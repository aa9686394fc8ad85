"""The files of one run in a folder."""

from pathlib import Path

from strapline_simulator.report.model import Report
from strapline_simulator.report.page import render_html
from strapline_simulator.report.story import Story

PAGE = "report.html"
DATA = "report.json"


def write_report(folder: Path, report: Report, story: Story) -> list[Path]:
    """The page and the data, as far as they can be made after a run; gives what was written."""
    page, data = folder / PAGE, folder / DATA
    data.write_text(report.to_json(), encoding="utf-8")
    page.write_text(render_html(report, story), encoding="utf-8")
    return [page, data]
