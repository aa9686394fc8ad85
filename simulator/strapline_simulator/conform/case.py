"""What came of one scenario on two bodies."""

from typing import NamedTuple


class Case(NamedTuple):
    """One scenario; `reason`: why it was not run."""

    path: str
    reason: str = ""
    failures: tuple[str, ...] = ()
    """What was told of the first difference, line by line."""
    digest: str = ""
    wall_s: float = 0.0
