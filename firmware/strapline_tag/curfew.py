# When the wearer may, must or must not be out, as the centre has said it: kept as the bytes that came, and read from them each time.
# It decides only with trusted time. Without it the tag says so, tells of leaving and coming, and leaves the rest to the centre.
from struct import unpack_from

from strapline_tag.deadline import sooner
from strapline_wire import documents, frames
from strapline_wire.compat import SHORT, const
from strapline_wire.errors import RemoteProtocolError

_WEEK_S = const(604800)
_MONDAY_S = const(259200)  # 1 January 1970 was a Thursday


def rule_at(document: bytes, utc_s: int) -> tuple:
    # (what the windows say at this second, the next second at which they may say something else). What breaks a rule of the document,
    # or says what nobody here knows, raises RemoteProtocolError, whatever the second.
    until = utc_s + _WEEK_S
    week_s = said = newest = -1
    at = 4
    try:
        for form, size, limit in ((">Lh", 6, 16), (">BHH", 5, 128), (">BLL", 9, 64)):
            found = -1
            count = document[at]
            at += 1
            for _ in range(count):
                row = unpack_from(form, document, at)
                at += size
                if size == 6:
                    start, minutes = row
                    well = newest < start and -840 <= minutes <= 840
                    newest = start
                    if week_s < 0 or start <= utc_s:
                        week_s = (utc_s + minutes * 60 + _MONDAY_S) % _WEEK_S
                    left = start - utc_s
                else:
                    rule, start, end = row
                    if size == 5:
                        well = start < 10080 and 0 < end <= 10080
                        since = (week_s - start * 60) % _WEEK_S
                        left = end * 60 - since
                        if left <= 0:
                            left = _WEEK_S - since
                            rule -= 3
                    else:
                        well = start < end
                        left = end - utc_s
                        if start > utc_s or left <= 0:
                            left = start - utc_s
                            rule -= 3
                    well = well and row[0] <= documents.WINDOW_STAY_HOME
                    found = max(found, rule)
                if not well:
                    limit = -1
                if left > 0:
                    until = min(until, utc_s + left)
            if count > limit or week_s < 0:
                raise RemoteProtocolError("out_of_range")
            if found >= 0:
                said = found
    except (IndexError, SHORT):
        raise RemoteProtocolError("truncated") from None
    return (documents.WINDOW_STAY_HOME if said < 0 else said), until


class Curfew:
    # tell(code, now, detail): an event.
    def __init__(self, config, memory, clock, situation, tell):
        self._config = config
        self._memory = memory
        self._clock = clock
        self._situation = situation
        self._tell = tell
        self._document = memory.read("curfew")
        self._was_away = False
        self.due = None  # when it is to be judged anew; None: at once, and as long as nothing can be judged

    def obey(self, now: int, document: bytes) -> int:
        rule_at(document, 0)
        held = self._document
        if document != held and document[:4] <= held[:4]:
            return frames.REFUSAL_OLD_REVISION
        self._memory.write("curfew", document)
        self._document = document
        self.due = None
        self._tell(frames.EVENT_APPLIED, now, frames.CURFEW << 24 | int.from_bytes(document[1:4], "big"))
        return 0

    def pursue(self, now: int) -> None:
        # After anything that may have changed the judgement. What was broken when the time was lost stays so until it is known again.
        situation, clock = self._situation, self._clock
        away = situation.away
        moved = away != self._was_away
        self._was_away = away
        if not situation.armed:
            situation.curfew_broken = situation.home_hours = False
            self.due = None
        elif not clock.trusted(now):
            situation.home_hours = False
            self.due = None
            if moved or clock.ends is not None:
                clock.doubt(now)
        elif self._document and (moved or self.due is None or now >= self.due):
            # Where the windows have just changed, neither what they said before nor what they say now is broken.
            grace_s = self._config.curfew_grace_s
            utc_s = clock.utc_s(now)
            rule, until = rule_at(self._document, utc_s)
            before, later = rule_at(self._document, utc_s - grace_s)
            self.due = clock.at(min(until, later + grace_s))
            home = rule == documents.WINDOW_STAY_HOME
            situation.home_hours = home
            broken = rule == before and (away if home else not away and rule == documents.WINDOW_MUST_LEAVE)
            if broken != situation.curfew_broken:
                situation.curfew_broken = broken
                code = frames.EVENT_CURFEW_BROKEN if broken else frames.EVENT_CURFEW_KEPT
                self._tell(code, now, int.from_bytes(self._document[:4], "big"))

    def next_deadline(self) -> "int | None":
        return sooner(self.due, self._clock.ends) if self._situation.armed else None

    handle_timer = pursue
