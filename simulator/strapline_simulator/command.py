"""The simulator's commands: `run`, `demo`, `scenarios`, `energy`, `chaos`, `fleet`, and the group `firmware`."""

from pathlib import Path
from typing import Annotated

import typer

from strapline_protocol.errors import UserError
from strapline_simulator.bluez.command import bluez
from strapline_simulator.chaos.command import chaos
from strapline_simulator.conform.command import conform
from strapline_simulator.energy.command import energy
from strapline_simulator.firmware import signing_command
from strapline_simulator.firmware.command import firmware
from strapline_simulator.fleet.command import fleet
from strapline_simulator.simulate.command import simulate
from strapline_simulator.traces.command import trace

Body = Annotated[
    str,
    typer.Option(
        "--on",
        help="What runs the firmware: micropython (the real interpreter), model (this CPython), virtual (the product build), "
        "serial:PORT (a bare board) or qemu:ELF (an emulated one).",
    ),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="The seed of every random choice; the scenario's own without it.")
]
Broker = Annotated[str, typer.Option(help="memory, amqtt (in this process), or mqtt://host:port.")]
Track = Annotated[
    Path | None,
    typer.Option("--track", help="A recorded track, .csv or .gpx, which the wearer follows from the start."),
]

Every = Annotated[
    bool, typer.Option("--all", help="Run all shipped scenarios, or all that are named, and print the requirements.")
]
Jobs = Annotated[int, typer.Option(min=0, help="Processes for --all; 0: as many as there are cores.")]
JUnit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write what came of --all there as JUnit XML.")]
WithoutStimulus = Annotated[
    bool,
    typer.Option(
        "--without-stimulus", help="Take away what each scenario is about (cut the strap in a quiet one): it must fail."
    ),
]

Air = Annotated[
    str,
    typer.Option(
        help="What carries Bluetooth: ble (whole stacks), or frames (the same frames without them, in a fraction of the time)."
    ),
]
Chaos = Annotated[
    str | None,
    typer.Option(
        "--chaos",
        metavar="SEED",
        help="Lay a random mix of faults over it, and see that nothing is lost or told in vain; 0-199: so many mixes.",
    ),
]
Shrink = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --chaos: write the smallest scenario that fails in the same way."),
]

TraceKeys = Annotated[
    bool,
    typer.Option("--trace-keys", help="Put the run's test keys into trace.pcapng, so that whoever has it reads all."),
]

DEMO = "night-and-day"

_LOG_WIDTH = 160
"""Columns in a file or a pipe: who searches a log wants each line whole."""


def register(app: typer.Typer) -> None:
    """Add the simulator's commands to `strapline`."""
    app.command()(demo)
    app.command()(run)
    app.command()(scenarios)
    app.command()(energy)
    app.command()(chaos)
    app.command()(bluez)
    app.command()(conform)
    app.command()(fleet)
    app.command()(simulate)
    signing_command.register(firmware)
    app.add_typer(firmware, name="firmware")
    app.add_typer(trace, name="trace")


def demo(
    on: Body = "micropython",
    seed: Seed = None,
    broker: Broker = "amqtt",
    out: Annotated[Path, typer.Option(help="Where report.json, report.html and trace.pcapng go.")] = Path("out/demo"),
) -> None:
    """Watch one night and one day of a wearer, from the strap to the monitoring centre and back.

    Exit status: 0 where every expectation holds, 1 where one does not, 2 for a mistake in what was asked.
    """
    _run(DEMO, on=on, seed=seed, broker=broker, out=out, json_file=None, gnss_log=None, air="ble")


def run(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(
            show_default=False,
            help="A shipped scenario's name, or a YAML file; with --all also patterns (r18-*) and folders.",
        ),
    ] = None,
    on: Body = "micropython",
    seed: Seed = None,
    broker: Broker = "memory",
    out: Annotated[Path | None, typer.Option(help="Folder for report.json, report.html and trace.pcapng.")] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write report.json there; - for standard output.")
    ] = None,
    gnss_log: Annotated[Path | None, typer.Option(help="A receiver's raw serial output, for the tag's UART.")] = None,
    every: Every = False,
    jobs: Jobs = 0,
    junit: JUnit = None,
    without_stimulus: WithoutStimulus = False,
    air: Air = "ble",
    track: Track = None,
    trace_keys: TraceKeys = False,
    chaos_mix: Chaos = None,
    shrink: Shrink = None,
) -> None:
    """Run a scenario in virtual time and hold it against its expectations; or, with --all, the whole catalogue.

    Exit status: 0 where every expectation holds, 1 where one does not, 2 for a mistake in what was asked.
    """
    names = scenario or []
    if every:
        if gnss_log is not None:
            raise UserError("--gnss-log is for one scenario: leave out --all, and name it")
        if track is not None:
            raise UserError("--track is for one scenario: leave out --all, and name it")
        if broker != "memory":
            raise UserError("--all runs each scenario on a broker of its own in memory: leave out --broker")
        from strapline_simulator.catalogue.command import Asked, run_catalogue
        from strapline_simulator.simulation import Options

        if out is not None:
            _make_folder(out)
        options = Options(body=on, seed=seed, folder=out, air=air)
        run_catalogue(Asked(names, jobs, options, without_stimulus, junit, json_file))
    if trace_keys and out is None:
        raise UserError("--trace-keys is for the trace, which is written with --out FOLDER")
    if len(names) != 1:
        raise UserError("name one scenario (`strapline scenarios` lists them), or add --all")
    if junit is not None or jobs:
        raise UserError("--junit and --jobs go with --all: add it")
    if shrink is not None and chaos_mix is None:
        raise UserError("--shrink goes with --chaos SEED: add it")
    if chaos_mix is not None:
        from strapline_simulator.mixes.command import run_chaos
        from strapline_simulator.simulation import Options

        if broker != "memory":
            raise UserError("--chaos breaks the broker in memory: leave out --broker")
        run_chaos(names[0], chaos_mix, Options(body=on, seed=seed, air=air), shrink)
    _run(
        names[0], on=on, seed=seed, broker=broker, out=out, json_file=json_file, gnss_log=gnss_log,
        bare=without_stimulus, air=air, track=track, trace_keys=trace_keys,
    )  # fmt: skip


def scenarios(
    row: Annotated[
        str | None, typer.Option(metavar="ROW", help="Only those that show this requirement, such as R05.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON Schema of scenario files, for editors.")] = False,
) -> None:
    """List the shipped scenarios: the requirements that each shows, how long it is, and whether it must stay quiet."""
    if schema:
        from strapline_simulator.scenario.schema import render_schema

        typer.echo(render_schema(), nl=False)
        return
    from strapline_simulator.catalogue.listing import list_scenarios

    for line in list_scenarios(row, as_json=as_json):
        typer.echo(line)


def _run(
    name: str, *, on: str, seed: int | None, broker: str, out: Path | None, json_file: str | None, gnss_log: Path | None,
    bare: bool = False, air: str = "ble", track: Path | None = None, trace_keys: bool = False,
) -> None:  # fmt: skip
    # Imported where they are needed, so that help and mistakes do not wait for a BLE stack.
    from strapline_simulator.gnss_log import read_gnss_log
    from strapline_simulator.scenario import load_scenario

    scenario = load_scenario(name)
    if bare:
        from strapline_simulator.catalogue.stimulus import without_stimulus

        scenario = without_stimulus(scenario)
    if scenario.gnss_log and gnss_log is None:
        raise UserError(f"scenario {scenario.name} needs a receiver's log: add --gnss-log FILE")
    if gnss_log is not None and not scenario.gnss_log:
        raise UserError(
            f"scenario {scenario.name} does not read --gnss-log; use the scenario gnss-log, or set gnss_log: true"
        )
    epochs = None if gnss_log is None else read_gnss_log(gnss_log)
    if out is not None:
        _make_folder(out)
    from rich.console import Console

    from strapline_simulator.live import LiveView
    from strapline_simulator.simulation import Options, run_scenario

    console = Console(stderr=json_file == "-", highlight=False)
    if not console.is_terminal:
        console.width = _LOG_WIDTH
    view = LiveView(scenario, on, broker, console)
    with view:
        options = Options(
            body=on,
            seed=seed,
            broker=broker,
            gnss_log=epochs,
            folder=out,
            watch=view.show,
            tick=view.tick,
            air=air,
            track=track,
            trace_keys=trace_keys,
        )
        result = run_scenario(scenario, options)
    written = _write(result, out, json_file)
    view.conclude(result, written)
    raise typer.Exit(0 if result.passed else 1)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserError(f"--out {folder}: {error.strerror}; give a folder that can be written") from None


def _write(result: "object", out: Path | None, json_file: str | None) -> list[Path]:
    from strapline_simulator.report import render_html
    from strapline_simulator.simulation import Result

    assert isinstance(result, Result)
    text = result.report.to_json()
    written = []
    if out is not None:
        (out / "report.json").write_text(text, encoding="utf-8")
        (out / "report.html").write_text(render_html(result.report, result.story), encoding="utf-8")
        written = [out / "report.html", out / "report.json", out / "trace.pcapng"]
    if json_file == "-":
        typer.echo(text, nl=False)
    elif json_file is not None:
        try:
            Path(json_file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"--json {json_file}: {error.strerror}; give a file that can be written") from None
    return written
