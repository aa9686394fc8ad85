"""A run from its folder to what it leaves: `fleet.json`, `report.html`, three Parquet files, and words on the terminal."""

import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from strapline_simulator.destinations import STANDARD_OUTPUT, write_file, write_json
from strapline_simulator.fleet.folder import RunFolder
from strapline_simulator.fleet.page import render_page
from strapline_simulator.fleet.parquet import write_tables
from strapline_simulator.fleet.progress import FleetProgress
from strapline_simulator.fleet.question import Question, Shard, shards
from strapline_simulator.fleet.run import Means, complete
from strapline_simulator.fleet.shards import run_shard
from strapline_simulator.fleet.summary import Summary, summarise
from strapline_simulator.fleet.words import tell


class Wanted(NamedTuple):
    """What to make of it."""

    out: Path
    false_alerts_limit: float
    json_file: str | None
    """A further copy of fleet.json; - for standard output."""


def work_out(question: Question, means: Means, wanted: Wanted, console: Console) -> Summary:
    """Run what is not done yet, and conclude. Interrupted, the folder stands as far as it came."""
    planned = shards(question)
    days = [shard.tag_hours(question.hours) / 24 for shard in planned]
    with RunFolder(wanted.out, question) as folder:
        done = folder.done()
        with FleetProgress(console, sum(days), sum(days[number] for number in done), time.monotonic) as progress:
            complete(run_shard, question, folder, means, lambda shard: progress.advance(days[shard.number]))
        return _conclude(question, folder, planned, wanted, console)


def _conclude(question: Question, folder: RunFolder, planned: list[Shard], wanted: Wanted, console: Console) -> Summary:
    summary = summarise(question, folder.results(planned), wanted.false_alerts_limit)
    text = summary.to_json()
    write_file("--out", folder.path / "report.html", render_page(summary))
    write_file("--out", folder.path / "fleet.json", text)
    written = [
        folder.path / "report.html",
        folder.path / "fleet.json",
        *write_tables(question, folder.results(planned), folder.path),
    ]
    write_json(wanted.json_file, text)
    if wanted.json_file not in (None, STANDARD_OUTPUT):
        written.append(Path(str(wanted.json_file)))
    tell(summary, console)
    console.print("written: " + ", ".join(map(str, written)))
    return summary
