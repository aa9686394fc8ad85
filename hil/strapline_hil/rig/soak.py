"""A long run of scenarios on a virtual rig in one process: what it holds open must be the same at the end as it was at the beginning."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from strapline_hil.rig.file import RigFile, load_rig
from strapline_hil.rig.needs import beyond_any_rig, needs_of
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_protocol.errors import UserError
from strapline_simulator.scenario import Scenario, load_scenario, shipped_scenarios
from strapline_simulator.simulation import Options, run_scenario

_PROC = Path("/proc/self")
_PORTS = ("/dev/ptmx", "/dev/pts/", "/dev/tty")


class Holding(NamedTuple):
    """What this process has open."""

    processes: int
    threads: int
    ports: int
    files: int
    """All file descriptors, the ports among them."""


class Played(NamedTuple):
    """One scenario."""

    name: str
    seed: int
    duration_s: float
    passed: bool
    holding: Holding


class Soak(NamedTuple):
    """What came of it. The first scenario is not counted: what stays open for good is opened there."""

    played: Sequence[Played]

    @property
    def leaked(self) -> dict[str, int]:
        """What there is more of at the end than at the beginning."""
        before, after = self.played[0].holding, self.played[-1].holding
        more = {name: now - then for name, then, now in zip(Holding._fields, before, after, strict=True)}
        return {name: count for name, count in more.items() if count > 0}

    @property
    def well(self) -> bool:
        return not self.leaked and all(played.passed for played in self.played)

    def as_json(self) -> dict[str, object]:
        return {
            "simulated_h": round(sum(played.duration_s for played in self.played) / 3600, 2),
            "scenarios": len(self.played),
            "failed": [f"{played.name} --seed {played.seed}" for played in self.played if not played.passed],
            "before": self.played[0].holding._asdict(),
            "after": self.played[-1].holding._asdict(),
            "leaked": self.leaked,
        }


def holding() -> Holding:
    """Now. Raises `UserError` where the system does not tell."""
    if not _PROC.is_dir():
        raise UserError("soak counts in /proc, which this system has not: run it on Linux")
    targets = []
    for descriptor in (_PROC / "fd").iterdir():
        try:
            targets.append(str(descriptor.readlink()))
        except OSError:  # the one that this looks through
            continue
    ports = sum(target.startswith(_PORTS) for target in targets)
    return Holding(_children(), threading.active_count(), ports, len(targets))


def _children() -> int:
    count = 0
    for task in (_PROC / "task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            count += len((task / "children").read_text().split())
    return count


def soak(file: RigFile, hours: float, told: Callable[[Played], None] = lambda _played: None) -> Soak:
    """Those that are marked `hil` and that this rig can do, over and over with new seeds, for so many simulated hours."""
    played: list[Played] = []
    passed_s = 0.0
    for scenario, seed in _rounds(file):
        body = open_virtual(file)
        try:
            result = run_scenario(scenario, Options(body=body.name, opened=body, seed=seed, air="frames"))
        finally:
            body.close()
        passed_s += scenario.duration_s
        played.append(Played(scenario.name, seed, scenario.duration_s, result.passed, holding()))
        told(played[-1])
        if passed_s >= hours * 3600 and len(played) > 1:
            return Soak(played)
    raise UserError(f"{file.path}: this rig can do none of the scenarios marked `hil`; give it more instruments")


def _rounds(file: RigFile) -> Iterator[tuple[Scenario, int]]:
    shipped = [load_scenario(name) for name in shipped_scenarios()]
    able = [one for one in shipped if one.hil and needs_of(one) <= file.drivers and not beyond_any_rig(one)]
    for number, scenario in enumerate(cycle(sorted(able, key=lambda one: one.duration_s))):
        yield scenario, scenario.seed + number // len(able)


def template_rig() -> RigFile:
    """The virtual rig that `strapline hil init --virtual` writes."""
    text = (files("strapline_hil.rig") / "templates" / "virtual.yaml").read_text("utf-8")
    with TemporaryDirectory(prefix="strapline-rig-") as folder:
        path = Path(folder, "virtual.yaml")
        path.write_text(text, "utf-8")
        return load_rig(path)
