"""What a finished run leaves: `fleet.json`, `report.html`, three Parquet files, and words on the terminal."""

from pathlib import Path

import typer
from rich.console import Console

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.folder import RunFolder
from strapline_simulator.fleet.page import render_page
from strapline_simulator.fleet.parquet import write_tables
from strapline_simulator.fleet.question import Question, Shard
from strapline_simulator.fleet.summary import Summary, summarise
from strapline_simulator.fleet.words import tell


def conclude(
    question: Question, folder: RunFolder, planned: list[Shard], limit: float, json_file: str | None, console: Console
) -> Summary:
    """`json_file`: a further copy of fleet.json; - for standard output."""
    summary = summarise(question, folder.results(planned), limit)
    text = summary.to_json()
    written = [
        _write(folder.path / "report.html", render_page(summary)),
        _write(folder.path / "fleet.json", text),
        *write_tables(question, folder.results(planned), folder.path),
    ]
    if json_file == "-":
        typer.echo(text, nl=False)
    elif json_file is not None:
        written.append(_write(Path(json_file), text))
    tell(summary, console)
    console.print("written: " + ", ".join(map(str, written)))
    return summary


def _write(path: Path, text: str) -> Path:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a file that can be written") from None
    return path
