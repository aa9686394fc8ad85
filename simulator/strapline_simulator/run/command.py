"""`strapline run` and `strapline demo`: the words of the command line."""

from pathlib import Path
from typing import Annotated

import typer

from strapline_simulator.run.asked import Asked, check

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


def demo(
    on: Body = "micropython",
    seed: Seed = None,
    broker: Broker = "amqtt",
    out: Annotated[Path, typer.Option(help="Where report.json, report.html and trace.pcapng go.")] = Path("out/demo"),
) -> None:
    """Watch one night and one day of a wearer, from the strap to the monitoring centre and back.

    Exit status: 0 where every expectation holds, 1 where one does not, 2 for a mistake in what was asked.
    """
    _carry_out(Asked((DEMO,), on, seed, broker, out))


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
    _carry_out(
        Asked(
            tuple(scenario or ()),
            body=on,
            seed=seed,
            broker=broker,
            folder=out,
            json_file=json_file,
            gnss_log=gnss_log,
            every=every,
            jobs=jobs,
            junit=junit,
            without_stimulus=without_stimulus,
            air=air,
            track=track,
            trace_keys=trace_keys,
            mixes=chaos_mix,
            shrink=shrink,
        )
    )


def _carry_out(asked: Asked) -> None:
    check(asked)
    # Imported only here, so that help and mistakes do not wait for a BLE stack.
    from strapline_simulator.run.ways import run_all, run_mixes, run_one

    if asked.every:
        run_all(asked)
    elif asked.mixes is not None:
        run_mixes(asked, asked.mixes)
    else:
        run_one(asked)
