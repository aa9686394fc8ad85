"""The published list of defects, and a copy of the firmware's sources with one of them in it."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.firmware import firmware_sources


class Defect(NamedTuple):
    """One wrong place in the firmware."""

    name: str
    seen: str
    """What a person would see of it."""
    file: str
    """In the firmware's folder, such as `strapline_tag/strap.py`."""
    before: str
    """What stands there, once."""
    after: str
    scenario: str
    """The shipped scenario that must fail."""

    @property
    def module(self) -> str:
        return self.file.removesuffix(".py").replace("/", ".")


@cache
def defects() -> tuple[Defect, ...]:
    """All that are published."""
    text = files(__package__).joinpath("defects.toml").read_text(encoding="utf-8")
    return tuple(Defect(**row) for row in tomllib.loads(text)["defect"])


def find(names: Sequence[str]) -> list[Defect]:
    """By name; all where none is named. Raises `UserError`."""
    by_name = {defect.name: defect for defect in defects()}
    for name in names:
        if name not in by_name:
            raise UserError(f"{name}: no such defect; there are {', '.join(by_name)}")
    return [by_name[name] for name in names or by_name]


def draw(count: int, seed: int) -> list[Defect]:
    """So many different ones at random. Raises `UserError` where there are not so many."""
    known = defects()
    if not 0 < count <= len(known):
        raise UserError(f"--draw {count}: there are {len(known)} defects; draw 1 to {len(known)}")
    return Random(seed).sample(known, count)


def changed(defect: Defect, texts: Mapping[str, str] | None = None) -> str:
    """The whole text of its file with the defect in it. Raises `UserError` where its place is not there once."""
    text = (texts or firmware_sources()).get(defect.module, "")
    if (found := text.count(defect.before)) != 1:
        raise UserError(
            f"defects.toml: {defect.name}: what it changes stands {found} times in {defect.file}; mend its `before`"
        )
    return text.replace(defect.before, defect.after)


def write_sources(defect: Defect, folder: Path) -> Path:
    """The changed file alone, in the folder of its package: what a rig file's `sources` takes. Gives `folder`."""
    path = folder / defect.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(changed(defect), encoding="utf-8")
    return folder
