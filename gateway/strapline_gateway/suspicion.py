"""What speaks against a tag's radio being the tag's own: kept for a tag only once something does."""

from typing import NamedTuple

QUIET_S = 900.0
"""An episode in which nothing more has come for so long is over; what comes later is another."""

MARKS = 8
SPREAD_S = 20.0
"""A gateway that has stood still for a minute finds a minute's frames at once, and none of them is anybody's doing."""

DIFFERENT = 3
REPEATED = 20
"""One frame of a scanner's memory can come back a few times; nothing innocent says it twenty times."""


class Timeline(NamedTuple):
    """A life of a device: its boot number, our clock minus its uptime, and when it was last the one we knew."""

    boot: int | None
    offset_s: float
    until: float


class Episode:
    """A run of evidence for one thing."""

    __slots__ = ("count", "first_at", "last_at", "marks", "told")

    def __init__(self, now: float) -> None:
        self.first_at = self.last_at = now
        self.count = 0
        self.marks: set[bytes] = set()
        self.told = False

    @property
    def suffices(self) -> bool:
        """Different frames or one frame again and again, and not all at once."""
        is_much = len(self.marks) >= DIFFERENT or self.count >= REPEATED
        return is_much and self.last_at - self.first_at >= SPREAD_S


class Suspicion:
    """What there is against one tag."""

    __slots__ = ("asked_at", "episodes", "former", "new_boot", "other_at", "other_boot", "others")

    def __init__(self) -> None:
        self.episodes: dict[str, Episode] = {}
        self.former: Timeline | None = None
        """The life that a session has ended: it must never show again."""
        self.other_at: float | None = None
        """When a heartbeat came that the tag as we know it cannot have made, unless it has started again."""
        self.other_boot = 0.0
        self.others = 0
        """How many such heartbeats of that life."""
        self.new_boot: float | None = None
        """When the tag has started again, if the last stale heartbeat says so; a session will tell."""
        self.asked_at = float("-inf")

    def prolong(self, code: str, now: float) -> None:
        """What would be no evidence alone shows that an episode goes on."""
        episode = self.episodes.get(code)
        if episode is not None and now - episode.last_at <= QUIET_S:
            episode.last_at = now

    def note(self, code: str, mark: bytes, now: float, *, is_certain: bool = False) -> Episode | None:
        """One more piece of evidence; gives the episode where it is to be told, once for each."""
        episode = self.episodes.get(code)
        if episode is None or now - episode.last_at > QUIET_S:
            episode = self.episodes[code] = Episode(now)
        episode.count += 1
        episode.last_at = now
        if len(episode.marks) < MARKS:
            episode.marks.add(mark)
        if episode.told or not (is_certain or episode.suffices):
            return None
        episode.told = True
        return episode
