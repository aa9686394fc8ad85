"""`strapline run SCENARIO --chaos SEEDS`: mixes of faults laid over a scenario, and the smallest that fails."""

from pathlib import Path
from typing import NamedTuple, NoReturn

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.destinations import write_file
from strapline_simulator.mixes.mix import TAIL_S, mixed
from strapline_simulator.mixes.shrink import shrink
from strapline_simulator.scenario import Scenario, load_scenario
from strapline_simulator.scenario.writer import render_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.unlogged import unlogged


class Judged(NamedTuple):
    """How one run ended: what is wrong by kind, with a text for each, and the digest of the tag's frames."""

    wrong: dict[str, str]
    digest: str


def seeds_of(text: str) -> range:
    """`7`, or `0-199`. Raises `UserError`."""
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        seeds = range(0)
    if not seeds:
        raise UserError(f"--chaos {text}: give a seed, such as 7, or a range of them, such as 0-199")
    return seeds


def run_chaos(name: str, seeds: str, options: Options, shrink_to: Path | None) -> NoReturn:
    """Run the mixes, tell of each, shrink the first that fails. Exit status 0 where all are sound, 1 where one is not."""
    scenario, failed = load_scenario(name), 0
    for seed in seeds_of(seeds):
        mix, _ = mixed(scenario, seed)
        judged = judge(mix, options)
        typer.echo(_line(name, seed, mix, judged))
        if judged.wrong and not failed and shrink_to is not None:
            _write(shrink_to, scenario, seed, judged, options)
        failed += bool(judged.wrong)
    if failed and shrink_to is None:
        typer.echo("add --shrink FILE for the smallest scenario that fails in the same way")
    raise typer.Exit(1 if failed else 0)


def judge(scenario: Scenario, options: Options) -> Judged:
    """Run it. What ends the run is wrong too."""
    with unlogged():
        try:
            result = run_scenario(scenario, options)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a part does not catch is what is looked for
            where = _innermost(error)
            return Judged({f"crash {type(error).__name__}": f"{error} ({where})"}, "")
    return Judged({wrong.kind: wrong.text for wrong in reversed(result.unsound)}, result.report.frames_digest)


def shrunk(
    scenario: Scenario, seed: int, kinds: set[str], options: Options, tail_s: float = TAIL_S
) -> tuple[Scenario, int]:
    """The smallest scenario that fails in one of these ways, and the runs that it took."""
    _, units = mixed(scenario, seed)
    found = shrink(scenario, units, lambda candidate: bool(kinds & judge(candidate, options).wrong.keys()), tail_s)
    changes = {
        "title": f"Found by --chaos {seed} over {scenario.name}: {min(kinds)}",
        "about": "",
        "seed": _seed(scenario, options),
    }
    return found.scenario.model_copy(update=changes), found.runs


def _seed(scenario: Scenario, options: Options) -> int:
    return scenario.seed if options.seed is None else options.seed


def _write(path: Path, scenario: Scenario, seed: int, judged: Judged, options: Options) -> None:
    small, runs = shrunk(scenario, seed, set(judged.wrong), options)
    write_file("--shrink", path, render_scenario(small))
    typer.echo(f"{len(small.steps)} steps are left after {runs} runs: strapline run {path}")


def _line(name: str, seed: int, mix: Scenario, judged: Judged) -> str:
    how = "sound" if not judged.wrong else "; ".join(f"{kind}: {text}" for kind, text in judged.wrong.items())
    return f"{name} --chaos {seed}: {len(mix.steps)} steps, {mix.duration_s / 3600:.1f} h: {how}"


def _innermost(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
