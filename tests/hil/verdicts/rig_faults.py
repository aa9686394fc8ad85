"""Faults of a rig and of what is around it, each in a pytest of its own, and what verdict it got."""

import shutil
from pathlib import Path
from random import Random
from typing import NamedTuple

from strapline_hil.defects.trial import Judged, run_pytest

HERE = Path(__file__).parent
_ARMED_S, _ENDS_S = 15.0, 1300.0
"""Of the rounds: between these they use everything again."""


class RigFault(NamedTuple):
    name: str
    what: str
    test: str = "rounds"
    before: bool = True
    """It may be there when the rig is opened."""
    during: bool = True


RIG_FAULTS = (
    RigFault("relay-stuck", "the relays' contacts are welded, and the board does not know", before=False),
    RigFault("cable-out", "a USB cable is pulled out: relays, bench board, GNSS or supply"),
    RigFault("wrong-board", "another board is at the port than the one that is to be flashed", "desk", during=False),
    RigFault("cables-swapped", "two instruments are at each other's port", during=False),
    RigFault("board-hung", "the board on the desk hangs in a loop that no Ctrl-C ends", "desk", during=False),
    RigFault("instrument-hung", "the bench board's processor has stopped"),
    RigFault("supply-sagging", "the supply gives four fifths of what it was set to"),
    RigFault("gnss-silent", "the GNSS injector's adapter is dead"),
    RigFault("flash-worn", "the board reads back something else than was written", "desk", during=False),
    RigFault("host-asleep", "this machine sleeps for half an hour while a test waits", before=False),
    RigFault("port-taken", "another program has the port, or reads from it"),
    RigFault("noise-on-the-line", "every byte from an instrument is damaged"),
)


class FaultTrial(NamedTuple):
    fault: RigFault
    at_s: float
    """0: before the rig was opened."""
    seed: int
    judged: Judged

    @property
    def is_right(self) -> bool:
        return self.judged.verdict in {"rig", "environment"}


def draw_moment(fault: RigFault, seed: int) -> float:
    """When, of the tag's time: one of three is before the rig is opened, where it can be."""
    random = Random(f"{fault.name}/{seed}")
    if not fault.during or (fault.before and random.random() < 1 / 3):
        return 0.0
    return round(random.uniform(_ARMED_S, _ENDS_S), 3)


def try_fault(fault: RigFault, seed: int, folder: Path) -> FaultTrial:
    """In a folder of its own, as a user's test would run."""
    place = folder / f"{fault.name}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    at_s = draw_moment(fault, seed)
    shutil.copy(HERE / "injecting.py", place / "conftest.py")
    shutil.copy(HERE / f"{fault.test}.py", place / f"test_{fault.test}.py")
    environment = {
        "STRAPLINE_FAULT": fault.name,
        "STRAPLINE_FAULT_AT_S": str(at_s),
        "STRAPLINE_FAULT_SEED": str(seed),
    }
    judged = run_pytest(place, HERE / "rig.yaml", [str(place)], environment)
    return FaultTrial(fault, at_s, seed, judged[0])


def healthy(folder: Path, test: str = "rounds") -> Judged:
    """The same test with no fault in it."""
    return try_fault(RigFault(f"{test}-well", "a rig that is well", test, during=False), 1, folder).judged
