"""Recordings and second devices among the heartbeats, told apart; and what an ordinary life looks like, which is neither.

Everything here is about frames whose seal holds: what a stranger makes up is nobody's evidence. A frame that comes again is

- an *echo* when it is young: scanners report one advertisement several times, and a platform's memory brings it back with every change;
- a *replay* when its counter has been used and its uptime is long past: somebody has recorded it;
- a *delayed replay* when its counter is new here and its uptime is long past, and too high for a tag that has started again meanwhile; one
  behind the newest counter was lost here, and whoever recorded it had better luck;
- a *clone's* when two devices must exist: one counter with two contents, or a life that shows after it has ended.

A tag's counters rise with its uptime, and over its reboots: a recording keeps that order with all that was heard, and two devices do not.

A reboot raises the counter and sets the uptime back, once; a stopped gateway finds all uptimes ahead; a restored backup knows no counters:
none of them comes back to the life before, so none is taken for a second device.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

from strapline_gateway.enrolment import UPTIME_SPAN_S, Enrolled, Keyset
from strapline_gateway.events import Event
from strapline_gateway.suspicion import DIFFERENT, Suspicion, Timeline
from strapline_protocol.notices import Notice, NoticeCode
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.replay import ReplayWindow

ECHO_S = 60.0
"""Younger frames are nobody's doing: BlueZ forgets a device after 30 s, and a busy gateway may stand still for some seconds."""

TOLERANCE_S = 30.0
"""As for heartbeats that are accepted."""

_RESTART_S = 8.0
"""An uptime counts in steps of 4 s."""

_DRIFT = 1e-4
"""100 ppm between the tag's crystal and ours: five times what a tag's is allowed."""

_ASK_EVERY_S = 600.0


class _AnyCounter:
    """Opens a frame whose counter has been used."""

    newest = -1

    def accept(self, counter: int) -> None:
        pass


_ANY = cast(ReplayWindow, _AnyCounter())


class _Again(NamedTuple):
    counter: int
    uptime_4s: int


class Impostors:
    """Judges for all tags of one gateway; tells one notice for each episode."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    # Heartbeats.

    def accepted(self, enrolled: Enrolled, counter: int, uptime_4s: int, data: bytes, now: float) -> None:
        """A heartbeat that is new and, as far as we can know, of now."""
        enrolled.lately.append((counter, data[-seal.MIC_SIZE :], now))
        if counter == enrolled.keys.window.newest:
            enrolled.newest_uptime_4s = uptime_4s

    def used_counter(self, enrolled: Enrolled, keys: Keyset, data: bytes, now: float) -> bool:
        """A heartbeat was refused for its counter. True where a call may show who sends it."""
        again = _open(keys, data)
        if again is None:
            return False
        mark = data[-seal.MIC_SIZE :]
        for counter, known, at in enrolled.lately:
            if counter == again.counter and known != mark:
                self._note(enrolled, NoticeCode.CLONE_HEARD, mark, now, is_certain=True)
                return False
            if counter == again.counter and now - at <= ECHO_S:
                return False
        if enrolled.offset_s is None:
            return False
        if self._is_former(enrolled, again.uptime_4s, mark, now):
            return False
        age_s = enrolled.age_s(again.uptime_4s, now)
        if _is_young(age_s):
            # Where another life has shown, only the answer to a call tells the tag behind its counters from an echo of it.
            return _others(enrolled) >= DIFFERENT and self._may_ask(enrolled, now)
        if _is_young_elsewhere(enrolled, again.uptime_4s, now):
            # An echo from around the moment at which the tag started again; long after it, only a call can tell.
            former = _suspicion(enrolled).former
            _suspicion(enrolled).prolong(NoticeCode.CLONE_HEARD, now)
            return former is not None and now - former.until > ECHO_S and self._may_ask(enrolled, now)
        self._note(enrolled, NoticeCode.REPLAY_HEARD, mark, now, age_s=age_s)
        return self._may_ask(enrolled, now)

    def stale(self, enrolled: Enrolled, counter: int, uptime_4s: int, data: bytes, now: float) -> None:
        """A heartbeat with a new counter, whose uptime is not that of the tag as we know it."""
        enrolled.lately.append((counter, data[-seal.MIC_SIZE :], now))
        if enrolled.suspicion is not None:
            enrolled.suspicion.prolong(NoticeCode.CLONE_HEARD, now)
        mark = data[-seal.MIC_SIZE :]
        age_s, uptime_s = enrolled.age_s(uptime_4s, now), uptime_4s * 4
        if self._is_former(enrolled, uptime_4s, mark, now) or _is_young(age_s):
            return  # a gateway that stood still hears late
        if _is_young(_age_in_former_s(enrolled, uptime_4s, now)):
            return  # the call that follows shows whose life goes on
        if counter < enrolled.keys.window.newest:
            if _is_young_elsewhere(enrolled, uptime_4s, now):
                return
            # Made before what we have heard, by whichever life: it was lost here, and that it comes now is a recorder's doing.
            self._note(enrolled, NoticeCode.DELAYED_REPLAY_HEARD, mark, now, age_s=age_s)
            return
        silent_s = now - max(enrolled.contact_at, enrolled.heard_at)
        may_be_new = uptime_s <= silent_s + _RESTART_S  # the tag has started again since we last had it
        may_be_old = age_s <= _newest_age_s(enrolled, now) + _RESTART_S  # made behind the last that we heard
        if may_be_new:
            _suspicion(enrolled).new_boot = now - uptime_s
        elif may_be_old:
            self._note(enrolled, NoticeCode.DELAYED_REPLAY_HEARD, mark, now, age_s=age_s)
        else:
            self._see_other(enrolled, now - uptime_s, now)

    def _see_other(self, enrolled: Enrolled, boot_at: float, now: float) -> None:
        # Either the tag has started again, or this is another device: the life that we know will not show again, or it will.
        suspicion = _suspicion(enrolled)
        if suspicion.other_at is None or abs((boot_at - suspicion.other_boot) % UPTIME_SPAN_S) > ECHO_S:
            suspicion.other_at, suspicion.other_boot, suspicion.others = now, boot_at, 0
        suspicion.others += 1

    def _is_alive(self, enrolled: Enrolled, suspicion: Suspicion, now: float) -> None:
        # A recording shows any life; only a session shows which one goes on.
        if suspicion.other_at is None or now - suspicion.other_at <= ECHO_S or suspicion.others < DIFFERENT:
            return
        suspicion.other_at = None
        self._note(enrolled, NoticeCode.CLONE_HEARD, b"session ", now, is_certain=True)

    def _is_former(self, enrolled: Enrolled, uptime_4s: int, mark: bytes, now: float) -> bool:
        """Whether a heartbeat is of the boot that a session has ended, and of now."""
        former = None if enrolled.suspicion is None else enrolled.suspicion.former
        # One boot under two times is a gateway's clock that stood still: a recording of as long ago looks as if it were of now.
        if former is None or former.boot == enrolled.boot or not ECHO_S < now - former.until < UPTIME_SPAN_S - ECHO_S:
            return False
        if not _is_young(_age_in_former_s(enrolled, uptime_4s, now), TOLERANCE_S):
            return False
        self._note(enrolled, NoticeCode.CLONE_HEARD, mark, now)
        return True

    def renewed(self, enrolled: Enrolled) -> None:
        """The tag has come under new keys, whose counters say nothing about the old ones'."""
        enrolled.lately.clear()
        enrolled.newest_uptime_4s = None

    # Sessions.

    def session(self, enrolled: Enrolled, boot: int, offset_s: float, now: float) -> None:
        """A device has proved the tag's keys, and said its boot and uptime. Call before these are noted."""
        known = enrolled.offset_s
        if known is None or _same_life(Timeline(enrolled.boot, known, enrolled.contact_at), boot, offset_s, now):
            if enrolled.suspicion is not None:
                self._is_alive(enrolled, enrolled.suspicion, now)
            return
        suspicion = _suspicion(enrolled)
        former = suspicion.former
        if former is not None and now - former.until > ECHO_S and _same_life(former, boot, offset_s, now):
            self._note(enrolled, NoticeCode.CLONE_HEARD, b"session ", now, is_certain=True)
        suspicion.former = Timeline(enrolled.boot, known, now)
        suspicion.other_at = suspicion.new_boot = None

    # What is told.

    def _may_ask(self, enrolled: Enrolled, now: float) -> bool:
        # A clone whose counters lie behind the tag's looks like a replay, and only it can prove the keys.
        suspicion = _suspicion(enrolled)
        if now - suspicion.asked_at < _ASK_EVERY_S:
            return False
        suspicion.asked_at = now
        return True

    def _note(
        self,
        enrolled: Enrolled,
        code: NoticeCode,
        mark: bytes,
        now: float,
        *,
        is_certain: bool = False,
        age_s: float | None = None,
    ) -> None:
        episode = _suspicion(enrolled).note(code, mark, now, is_certain=is_certain)
        if episode is not None:
            detail = {"frames": episode.count, "for_s": round(now - episode.first_at)}
            if age_s is not None:
                detail["age_s"] = round(age_s)
            self._tell(Notice(code, enrolled.tag, detail))


def _suspicion(enrolled: Enrolled) -> Suspicion:
    if enrolled.suspicion is None:
        enrolled.suspicion = Suspicion()
    return enrolled.suspicion


def _others(enrolled: Enrolled) -> int:
    """Heartbeats of another life than the tag's, which has not proved itself."""
    suspicion = enrolled.suspicion
    return 0 if suspicion is None or suspicion.other_at is None else suspicion.others


def _is_young(age_s: float, within_s: float = ECHO_S) -> bool:
    """An uptime that is a little ahead of ours looks nearly three days old."""
    return age_s <= within_s or UPTIME_SPAN_S - within_s <= age_s <= UPTIME_SPAN_S


def _age_in_former_s(enrolled: Enrolled, uptime_4s: int, now: float) -> float:
    """How old a heartbeat is if it is of the life that a session has ended; infinite where there is none."""
    former = None if enrolled.suspicion is None else enrolled.suspicion.former
    return float("inf") if former is None else (now - former.offset_s - uptime_4s * 4) % UPTIME_SPAN_S


def _newest_age_s(enrolled: Enrolled, now: float) -> float:
    """How old the heartbeat is that has the highest counter of all that we took; infinite before the first."""
    if enrolled.newest_uptime_4s is None:
        return float("inf")
    age_s = enrolled.age_s(enrolled.newest_uptime_4s, now)
    return 0.0 if age_s >= UPTIME_SPAN_S - TOLERANCE_S else age_s


def _is_young_elsewhere(enrolled: Enrolled, uptime_4s: int, now: float) -> bool:
    """Whether a heartbeat is young in the life before this one, or in one that has shown and not proved itself yet."""
    suspicion = enrolled.suspicion
    if suspicion is None:
        return False
    boots = [suspicion.new_boot, suspicion.other_boot if suspicion.other_at is not None else None]
    ages = [(now - boot - uptime_4s * 4) % UPTIME_SPAN_S for boot in boots if boot is not None]
    return any(_is_young(age_s) for age_s in (_age_in_former_s(enrolled, uptime_4s, now), *ages))


def _same_life(life: Timeline, boot: int, offset_s: float, now: float) -> bool:
    drift_s = max(now - life.until, 0.0) * _DRIFT
    return life.boot == boot and abs(offset_s - life.offset_s) <= ECHO_S + drift_s


def _open(keys: Keyset, data: bytes) -> _Again | None:
    """What a frame says that was refused for its counter; None where it is not genuine."""
    try:
        counter, body = seal.open_frame(data, keys.broadcast, keys.header, seal.UP, _ANY)
        return _Again(counter, frames.unpack_heartbeat(body).uptime_4s)
    except RemoteProtocolError:
        return None
