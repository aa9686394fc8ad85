"""Whether the tags' radio is covered by noise: by a receiver that measures it, or by all tags falling silent in one moment."""

from collections.abc import Callable, Iterable

from strapline_gateway.enrolment import Enrolled
from strapline_gateway.events import Event
from strapline_protocol.notices import Notice, NoticeCode

NOISE_LIMIT_DBM = -80.0
"""A quiet 2.4 GHz channel lies near -100 dBm, a busy one has bursts; 20 dB more for half a minute is neither."""

NOISE_FOR_S = 30.0
_NOISE_HYSTERESIS_DB = 6.0
QUIET_FOR_S = 60.0

SILENT_FOR_S = 60.0
"""Six of the longest pauses between heartbeats."""

SEVERAL = 3
"""One tag may be shielded, two may leave together; of three none has been heard since the same moment."""

_SAME_MOMENT_S = 30.0
_SHARE = 0.8
_LATE_S = 5.0
"""A timer that comes later than this found the whole gateway standing still: what was heard meanwhile is still to come."""


class AirWatch:
    """For one radio. Silence counts only where the radio is known to work: a dead adapter is the link's to tell."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._loud_since: float | None = None
        self._quiet_since: float | None = None
        self._noise_dbm = 0.0
        self._heard_at = float("-inf")
        self.worked_at = float("-inf")
        """When the radio last heard somebody, tag or not. A restart without a fault shows nothing: a deaf adapter starts too."""
        self._silence_due: float | None = None
        self.jammed_since: float | None = None
        self._by_noise = False

    # Noise.

    def receive_noise(self, noise_dbm: float, now: float) -> None:
        """What the receiver measures on the advertising channels, without a frame; again at least each ten seconds."""
        self._noise_dbm = noise_dbm
        if noise_dbm >= NOISE_LIMIT_DBM:
            self._quiet_since = None
            self._loud_since = now if self._loud_since is None else self._loud_since
            if now - self._loud_since >= NOISE_FOR_S and self.jammed_since is None:
                self._by_noise = True
                self._begin(now, {"noise_dbm": round(noise_dbm), "for_s": round(now - self._loud_since)})
        elif noise_dbm < NOISE_LIMIT_DBM - _NOISE_HYSTERESIS_DB:
            self._loud_since = None
            self._quiet_since = now if self._quiet_since is None else self._quiet_since
            if self._by_noise and now - self._quiet_since >= QUIET_FOR_S:
                self._end(now)

    # Silence.

    def hear(self, present: int, now: float) -> None:
        """A genuine heartbeat of now has come; so many tags are present."""
        self._heard_at = now
        self._silence_due = now + SILENT_FOR_S if present >= SEVERAL else None
        if self.jammed_since is not None and not self._by_noise:
            self._end(now)

    def next_deadline(self) -> float | None:
        return self._silence_due

    def handle_timer(self, now: float, tags: Iterable[Enrolled]) -> None:
        due = self._silence_due
        if due is None or now < due:
            return
        self._silence_due = None
        if now - due > _LATE_S:
            self._silence_due = now + SILENT_FOR_S
            return
        if self.jammed_since is not None:
            return
        present = [tag for tag in tags if tag.present]
        at_once = sum(tag.heard_at >= self._heard_at - _SAME_MOMENT_S for tag in present)
        if at_once < SEVERAL or at_once < _SHARE * len(present):
            return
        if self.worked_at > self._heard_at:
            self._begin(now, {"silent_tags": at_once, "for_s": round(now - self._heard_at)})
        else:
            self._silence_due = now + SILENT_FOR_S  # nobody has been heard: the link finds out whether the radio works

    # What is told.

    def _begin(self, now: float, detail: dict[str, int]) -> None:
        self.jammed_since = now
        self._tell(Notice(NoticeCode.RADIO_JAMMED, "", detail))

    def _end(self, now: float) -> None:
        assert self.jammed_since is not None
        self._tell(Notice(NoticeCode.JAMMING_OVER, "", {"for_s": round(now - self.jammed_since)}))
        self.jammed_since = None
        self._by_noise = False
