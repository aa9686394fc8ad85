"""Who drops messages between a gateway and the centre (R41), as the gaps show that no broken connection explains.

One gap may be a broker's bridge that was started anew. What goes on is a broker that is full, or somebody dishonest: that is told. Times in
(Unix, the centre's), findings out; nothing is raised here.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from strapline_protocol.passages import Passages

OVERDUE_S = 120.0
"""What is missing for so long was not only overtaken."""

EPISODES = 3
APART_S = 100.0
"""Of less than the centre's own round: what is found at two looks is two episodes."""

WITHIN_S = 24 * 3600.0
"""So many episodes in this time are no accident."""

OVER_AFTER_S = 3600.0


class Dropped(NamedTuple):
    """Of one gateway: when it was found to be dropped, the newest last, and whether that goes on."""

    gateway: str
    messages: int
    episodes: tuple[float, ...]

    @property
    def goes_on(self) -> bool:
        return len(self.episodes) >= EPISODES and self.episodes[-1] - self.episodes[-EPISODES] <= WITHIN_S


class DropWatch:
    """Of all gateways. `episodes` are those from before a restart, by gateway."""

    def __init__(self, passages: Passages, episodes: Mapping[str, Sequence[float]]) -> None:
        self._passages = passages
        self._episodes = {gateway: tuple(known[-EPISODES:]) for gateway, known in episodes.items()}
        self._found: dict[str, int] = {}
        """Found and not `told` yet, for a ledger may be away."""

    def due(self, utc_s: float) -> list[Dropped]:
        """What was found since `told`."""
        for missing in self._passages.overdue(utc_s, OVERDUE_S):
            if missing.unexplained:
                self._found[missing.gateway] = self._found.get(missing.gateway, 0) + missing.unexplained
        return [Dropped(gateway, count, self._with(gateway, utc_s)) for gateway, count in self._found.items()]

    def _with(self, gateway: str, utc_s: float) -> tuple[float, ...]:
        known = self._episodes.get(gateway, ())
        if known and 0 <= utc_s - known[-1] < APART_S:
            return known
        return (*(at for at in known if at <= utc_s), utc_s)[-EPISODES:]  # a clock that was set back forgets the future

    def told(self, found: Sequence[Dropped]) -> None:
        """These are on the disk."""
        for one in found:
            self._episodes[one.gateway] = one.episodes
            self._found.pop(one.gateway, None)
