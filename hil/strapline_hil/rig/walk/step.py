"""A step of a walk through a rig."""

from typing import NamedTuple


class Step(NamedTuple):
    """One thing that was tried."""

    where: str
    what: str
    wrong: tuple[str, ...] = ()
    """What is wrong with the mend, each a line; empty: well."""
    skipped: str = ""
    """Why it was not tried."""
    notes: tuple[str, ...] = ()
    """What it cannot notice."""
