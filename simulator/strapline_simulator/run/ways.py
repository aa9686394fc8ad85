"""The three ways of running what was asked for. Each raises `typer.Exit` with the verdict, or `UserError`."""

from pathlib import Path
from typing import NoReturn

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.catalogue.command import CatalogueRun, run_catalogue
from strapline_simulator.catalogue.stimulus import without_stimulus
from strapline_simulator.destinations import STANDARD_OUTPUT, make_folder, require_writable, write_json
from strapline_simulator.gnss_log import Epoch, read_gnss_log
from strapline_simulator.live import LiveView
from strapline_simulator.mixes.command import run_chaos
from strapline_simulator.report.folder import write_report
from strapline_simulator.run.asked import Asked
from strapline_simulator.scenario import Scenario, load_scenario
from strapline_simulator.simulation import Options, Result, run_scenario
from strapline_simulator.terminal import make_console
from strapline_simulator.unlogged import unlogged


@unlogged()
def run_all(asked: Asked) -> NoReturn:
    """The shipped scenarios, or all that are named, over processes."""
    if asked.folder is not None:
        make_folder("--out", asked.folder)
    options = _options(asked)._replace(folder=asked.folder, trace_keys=asked.trace_keys)
    run_catalogue(
        CatalogueRun(asked.scenarios, asked.jobs, options, asked.without_stimulus, asked.junit, asked.json_file)
    )


def run_mixes(asked: Asked, seeds: str) -> NoReturn:
    """One scenario under mixes of faults."""
    if asked.shrink is not None:
        require_writable("--shrink", asked.shrink)
    run_chaos(asked.scenarios[0], seeds, _options(asked), asked.shrink)


def run_one(asked: Asked) -> NoReturn:
    """One scenario, told as it goes."""
    scenario = load_scenario(asked.scenarios[0])
    if asked.without_stimulus:
        scenario = without_stimulus(scenario)
    epochs = _epochs(scenario, asked.gnss_log)
    if asked.folder is not None:
        make_folder("--out", asked.folder)
    if asked.json_file is not None and asked.json_file != STANDARD_OUTPUT:
        require_writable("--json", Path(asked.json_file))
    view = LiveView(scenario, asked.body, asked.broker, make_console(asked.json_file))
    options = _options(asked)._replace(
        broker=asked.broker,
        gnss_log=epochs,
        folder=asked.folder,
        watch=view.show,
        tick=view.tick,
        track=asked.track,
        trace_keys=asked.trace_keys,
    )
    with view:
        result = run_scenario(scenario, options)
    view.conclude(result, _write(result, asked))
    raise typer.Exit(0 if result.passed else 1)


def _options(asked: Asked) -> Options:
    return Options(body=asked.body, seed=asked.seed, air=asked.air)


def _epochs(scenario: Scenario, gnss_log: Path | None) -> list[Epoch] | None:
    if scenario.gnss_log and gnss_log is None:
        raise UserError(f"scenario {scenario.name} needs a receiver's log: add --gnss-log FILE")
    if gnss_log is not None and not scenario.gnss_log:
        raise UserError(
            f"scenario {scenario.name} does not read --gnss-log; use the scenario gnss-log, or set gnss_log: true"
        )
    return None if gnss_log is None else read_gnss_log(gnss_log)


def _write(result: Result, asked: Asked) -> list[Path]:
    written: list[Path] = []
    if asked.folder is not None:
        written = [*write_report(asked.folder, result.report, result.story), asked.folder / "trace.pcapng"]
    write_json(asked.json_file, result.report.to_json())
    return written
