"""Figures from what a rig has heard and measured. Pure: no rig, no clock."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import fmean, quantiles
from typing import NamedTuple

from strapline_hil.instruments.protocols import Heard, Sample


class Intervals(NamedTuple):
    """Between one heartbeat and the next, seconds; a tenth is not above the first, a tenth not below the last."""

    low_s: float
    mean_s: float
    high_s: float
    number: int


def heartbeat_intervals(heard: Iterable[Heard]) -> Intervals | None:
    """Each heartbeat is on the air several times, all the same to the byte: its first one counts. None where there are not three."""
    firsts: dict[bytes, float] = {}
    for one in heard:
        firsts.setdefault(one.data, one.t_s)
    gaps = [later - earlier for earlier, later in pairwise(sorted(firsts.values()))]
    if len(gaps) < 2:
        return None
    tenths = quantiles(gaps, n=10, method="inclusive")
    return Intervals(tenths[0], fmean(gaps), tenths[-1], len(gaps))


def mean_micro_a(samples: Sequence[Sample]) -> float:
    """Each sample stands for as long as any other."""
    return sum(sample.micro_a for sample in samples) / len(samples)


def longest_gap_s(times_s: Sequence[float]) -> float:
    return max(later - earlier for earlier, later in pairwise(times_s))
