"""What really happened, as far as the record must show it. It comes from the world's own script, never from what a tag said."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Truth(NamedTuple):
    """The ledger must hold a record `code` (an event's, or `fix`) whose own time lies between the two, by the end of the run."""

    code: str
    earliest_s: float
    latest_s: float
    text: str
    due_s: float
    """When it must be at the centre; a run that ends before cannot miss it."""


class Held(NamedTuple):
    """A record that the ledger holds: its code and its own time on the world's clock."""

    code: str
    t_s: float


def missing(truths: Iterable[Truth], held: Sequence[Held], end_s: float) -> list[Truth]:
    """The truths without a record. Each record vouches for one truth; the truth that ends first chooses first."""
    free = sorted(held, key=lambda record: record.t_s)
    unmet = []
    for truth in sorted(truths, key=lambda t: (t.latest_s, t.earliest_s)):
        if truth.due_s > end_s:
            continue
        match = next((r for r in free if r.code == truth.code and truth.earliest_s <= r.t_s <= truth.latest_s), None)
        if match is None:
            unmet.append(truth)
        else:
            free.remove(match)
    return unmet
