"""Who is here, by the signal of the heartbeats: smoothed, with hysteresis, and gone only after a debounce."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from strapline_gateway.deadlines import Deadlines
from strapline_gateway.enrolment import Enrolled
from strapline_gateway.events import Event, Presence

LEAVE_AFTER_S = 300.0
"""R15: debounce of leaving, outside curfew."""

CURFEW_LEAVE_AFTER_S = 30.0
"""R15: the same while the schedule says home, where the gateway has one."""

CURFEW_SILENT_S = 240.0
"""A tag that was heard so shortly before is never said to be out against its schedule.

In simulated fading (log-normal, 4 and 6 dB, kept for 20 s) at 8 to 30 m, silences of more than 30 s come up to 280 times a day, of more
than 120 s once a day, of more than 240 s once in 200 days (R29: 0.01 a day).
"""

TELL_EVERY_S = 30.0
"""Where readers are compared, a tag's signal is told again no sooner."""

_SMOOTHING_S = 20.0
"""About four heartbeats of 1 to 10 s: people who walk past do not count, and 23 m are walked in as long."""

_AT_ONCE_S = 0.1
"""One of a burst weighs as much as if it had come so long after the one before."""

_STEP_DB = 6.0
"""So much more or less than was told last is worth telling to who compares readers."""

_HEARTBEAT_S = 8.0
"""R17: 1 to 10 s, drawn evenly; three of four come sooner than this."""

_BY_CHANCE = 1e-6
"""Once in two months of heartbeats a silence may last so long by losses alone."""

_LOSS_WEIGHT = 0.03
_KEPT_WEIGHT = 1 - _LOSS_WEIGHT
_LOSS_LEAST, _LOSS_MOST = 0.02, 0.8
_MISSED_MOST = 20
"""More heartbeats than these in a row were no losses: the tag was away, or started again behind the next block of counters."""


class RangeClass(NamedTuple):
    """R16: a distance that a deployment may want to tell apart."""

    name: str
    metres: float


CLASSES = (
    RangeClass("11m", 11),
    RangeClass("23m", 23),
    RangeClass("46m", 46),
    RangeClass("80m", 80),
    RangeClass("facility", 300),
)
"""R16: 11, 23 and 46 m are the settings of a base station in the field (SCRAM), 80 m is Hesse's, 300 m a reader in a facility."""

BEYOND = "beyond"


def path_loss_dbm(metres: float, *, at_1_m_dbm: float = -60.0, exponent: float = 2.2) -> float:
    """What is received so far away: log-distance path loss. The defaults are a tag at 0 dBm on a limb in a flat (ITU-R P.1238).

    By them 46 m lie at -96.6 dBm, where an adapter of ordinary sensitivity hears no more: 80 and 300 m need more power, a better antenna or
    free sight, and limits from a range test.
    """
    return at_1_m_dbm - 10 * exponent * math.log10(max(metres, 1.0))


CLASS_DBM = tuple(path_loss_dbm(one.metres) for one in CLASSES)


@dataclass(frozen=True, slots=True)
class PresenceLimits:
    """What counts as here. All signals in dBm, smoothed."""

    reach_dbm: float | None = None
    """A tag weaker than this counts as away after the debounce; None: whoever is heard is here."""
    class_dbm: tuple[float, ...] = CLASS_DBM
    """The weakest signal of each of CLASSES, from a range test or the path loss."""
    hysteresis_db: float = 4.0
    """Between coming in and going out: half of it above a limit, half below."""
    leave_after_s: float = LEAVE_AFTER_S
    curfew_leave_after_s: float = CURFEW_LEAVE_AFTER_S
    curfew_silent_s: float = CURFEW_SILENT_S
    """So long nothing at all is heard of a tag before it is said to be out against its schedule: that is an alarm, being away is none."""
    tell_changes: bool = False
    """Tell the signal again when it has changed: for a centre that names the nearest of several readers."""

    @classmethod
    def of_class(cls, name: str, *, at_1_m_dbm: float = -60.0, exponent: float = 2.2) -> "PresenceLimits":
        """The reach of a class by the path loss, until a range test has given a better one. `KeyError` for no such class."""
        metres = {c.name: c.metres for c in CLASSES}
        limits = tuple(path_loss_dbm(m, at_1_m_dbm=at_1_m_dbm, exponent=exponent) for m in metres.values())
        return cls(path_loss_dbm(metres[name], at_1_m_dbm=at_1_m_dbm, exponent=exponent), limits)


def class_of(rssi_dbm: float, limits: PresenceLimits, held: str = "") -> str:
    """The class of a signal; the one that it is held in is left only by half the hysteresis, either way."""
    names = [one.name for one in CLASSES]
    inside = names.index(held) if held in names else len(names)
    for index, weakest in enumerate(limits.class_dbm):
        slack_db = 0.0 if not held else limits.hysteresis_db / 2 * (1 if index < inside else -1)
        if rssi_dbm >= weakest + slack_db:
            return names[index]
    return BEYOND


class PresenceWatch:
    """Decides for all tags of one gateway."""

    def __init__(self, tell: Callable[[Event], None], limits: PresenceLimits) -> None:
        self._tell = tell
        self.limits = limits
        self._deadlines: Deadlines[Enrolled] = Deadlines()
        self.count = 0
        """Tags that are here."""

    def hear(self, enrolled: Enrolled, rssi_dbm: int, missed: int, now: float) -> None:
        """A genuine, fresh heartbeat, and how many before it did not come."""
        if missed:
            _note_loss(enrolled, missed)
        else:
            enrolled.loss *= _KEPT_WEIGHT
        before_dbm, since_s = enrolled.rssi_dbm, now - enrolled.rssi_at
        enrolled.rssi_at = now
        if before_dbm is None or since_s > LEAVE_AFTER_S:
            enrolled.rssi_dbm = float(rssi_dbm)
        else:
            weight = 1.0 - math.exp((-since_s if since_s > _AT_ONCE_S else -_AT_ONCE_S) / _SMOOTHING_S)
            enrolled.rssi_dbm = before_dbm + weight * (rssi_dbm - before_dbm)
        if enrolled.offset_s is None and not enrolled.is_believed(now, LEAVE_AFTER_S):
            return
        limits = self.limits
        enrolled.heard_at = now
        if limits.reach_dbm is None or self._is_near(enrolled):
            enrolled.near_at = now
            enrolled.beyond = False
            if not enrolled.present:
                self._come(enrolled, rssi_dbm, now)
            patience_s = self._patience_s(enrolled) if enrolled.curfew_hours else limits.leave_after_s
            self._deadlines.set(enrolled, now + patience_s)
        elif not enrolled.present:
            enrolled.beyond = True
        if limits.tell_changes:
            self._tell_change(enrolled, now)

    def _is_near(self, enrolled: Enrolled) -> bool:
        reach_dbm = self.limits.reach_dbm
        if reach_dbm is None or enrolled.rssi_dbm is None:
            return True
        half_db = self.limits.hysteresis_db / 2
        return enrolled.rssi_dbm >= reach_dbm + (-half_db if enrolled.present else half_db)

    def _come(self, enrolled: Enrolled, rssi_dbm: int, now: float) -> None:
        enrolled.present = True
        self.count += 1
        enrolled.told_class = class_of(enrolled.rssi_dbm or rssi_dbm, self.limits)
        self._say(enrolled, rssi_dbm, now)

    def _say(self, enrolled: Enrolled, rssi_dbm: int, now: float) -> None:
        enrolled.told_at, enrolled.told_dbm = now, float(rssi_dbm)
        self._tell(Presence(enrolled.tag, True, rssi_dbm, enrolled.offset_s is not None, self._named(enrolled)))

    def _named(self, enrolled: Enrolled) -> str:
        is_wanted = self.limits.reach_dbm is not None or self.limits.tell_changes
        return enrolled.told_class if is_wanted else ""

    def _tell_change(self, enrolled: Enrolled, now: float) -> None:
        if not enrolled.present or now - enrolled.told_at < TELL_EVERY_S:
            return
        assert enrolled.rssi_dbm is not None
        found = class_of(enrolled.rssi_dbm, self.limits, enrolled.told_class)
        if found != enrolled.told_class or abs(enrolled.rssi_dbm - enrolled.told_dbm) >= _STEP_DB:
            enrolled.told_class = found
            self._say(enrolled, round(enrolled.rssi_dbm), now)

    def prove(self, enrolled: Enrolled, now: float) -> None:
        """A session has proved the tag's uptime for the first time since the start, or since it started again."""
        if enrolled.present and enrolled.rssi_dbm is not None:
            self._say(enrolled, round(enrolled.rssi_dbm), now)

    def set_curfew_hours(self, enrolled: Enrolled, at_home: bool, now: float) -> None:
        """The schedule says home now, or no longer: the debounce is another, from now on at the earliest."""
        enrolled.curfew_hours = at_home
        if enrolled.present:
            self._deadlines.set(enrolled, max(now, enrolled.near_at + self._patience_s(enrolled)))

    def _patience_s(self, enrolled: Enrolled) -> float:
        if not enrolled.curfew_hours:
            return self.limits.leave_after_s
        # Where many heartbeats are lost, a short silence says nothing yet.
        loss = min(max(enrolled.loss, _LOSS_LEAST), _LOSS_MOST)
        by_chance_s = math.ceil(math.log(_BY_CHANCE) / math.log(loss)) * _HEARTBEAT_S
        return min(max(self.limits.curfew_leave_after_s, by_chance_s), self.limits.leave_after_s)

    def forget(self, enrolled: Enrolled) -> None:
        """It is no tag of ours any more."""
        self._deadlines.set(enrolled, None)
        self.count -= enrolled.present

    def next_deadline(self) -> float | None:
        return self._deadlines.soonest()

    def handle_timer(self, now: float) -> list[Enrolled]:
        """Who has gone by now."""
        gone = self._deadlines.due(now)
        for enrolled in gone:
            enrolled.present = False
            self.count -= 1
            enrolled.beyond = enrolled.heard_at > enrolled.near_at
            self._tell(Presence(enrolled.tag, False, None, enrolled.offset_s is not None))
        return gone


def _note_loss(enrolled: Enrolled, missed: int) -> None:
    if 0 < missed <= _MISSED_MOST:
        enrolled.loss = (1 - (1 - enrolled.loss) * _KEPT_WEIGHT**missed) * _KEPT_WEIGHT
