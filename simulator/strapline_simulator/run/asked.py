"""What `strapline run` is asked for, and which of its options go together."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError


class Asked(NamedTuple):
    """What the command line asks for."""

    scenarios: tuple[str, ...]
    body: str
    seed: int | None
    broker: str
    folder: Path | None = None
    json_file: str | None = None
    gnss_log: Path | None = None
    every: bool = False
    jobs: int = 0
    junit: Path | None = None
    without_stimulus: bool = False
    air: str = "ble"
    track: Path | None = None
    trace_keys: bool = False
    mixes: str | None = None
    shrink: Path | None = None


class Rule(NamedTuple):
    """Options that do not go together, and what to do about it."""

    is_broken: Callable[[Asked], bool]
    mend: str


def _is_about_one_run(asked: Asked) -> bool:
    return asked.without_stimulus or any((asked.folder, asked.json_file, asked.gnss_log, asked.track))


RULES = (
    Rule(
        lambda asked: asked.every and asked.gnss_log is not None,
        "--gnss-log is for one scenario: leave out --all, and name it",
    ),
    Rule(
        lambda asked: asked.every and asked.track is not None,
        "--track is for one scenario: leave out --all, and name it",
    ),
    Rule(
        lambda asked: asked.every and asked.broker != "memory",
        "--all runs each scenario on a broker of its own in memory: leave out --broker",
    ),
    Rule(
        lambda asked: asked.every and asked.mixes is not None,
        "--chaos is for one scenario: leave out --all, and name it",
    ),
    Rule(
        lambda asked: asked.trace_keys and asked.folder is None,
        "--trace-keys is for the trace, which is written with --out FOLDER",
    ),
    Rule(
        lambda asked: not asked.every and len(asked.scenarios) != 1,
        "name one scenario (`strapline scenarios` lists them), or add --all",
    ),
    Rule(
        lambda asked: not asked.every and (asked.junit is not None or asked.jobs != 0),
        "--junit and --jobs go with --all: add it",
    ),
    Rule(lambda asked: asked.shrink is not None and asked.mixes is None, "--shrink goes with --chaos SEED: add it"),
    Rule(
        lambda asked: asked.mixes is not None and asked.broker != "memory",
        "--chaos breaks the broker in memory: leave out --broker",
    ),
    Rule(
        lambda asked: asked.mixes is not None and _is_about_one_run(asked),
        "--chaos tells of its mixes alone: leave out --out, --json, --gnss-log, --track and --without-stimulus",
    ),
)


def check(asked: Asked) -> None:
    """Raises `UserError` of the first rule that is broken."""
    for rule in RULES:
        if rule.is_broken(asked):
            raise UserError(rule.mend)
