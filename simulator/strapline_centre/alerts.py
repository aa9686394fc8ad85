"""What a person at the centre must look at. An alert stays until it is acknowledged with a note; nothing here closes one."""

from datetime import datetime, timedelta
from typing import NamedTuple

from strapline_centre.alert_rows import Alert, AlertRows
from strapline_protocol.codes import ALARMS, MEANINGS, EventCode
from strapline_protocol.errors import UserError
from strapline_protocol.notices import MEANINGS as NOTICES
from strapline_protocol.notices import Notice, NoticeCode

__all__ = ["CODES", "Alert", "AlertBook", "Change"]

_SAME_ALARM = timedelta(minutes=15)
"""A tag whose record is here goes on telling of the alarm until the receipt has reached it; what it tells later is another alarm."""

WORD_LIMIT = 500
"""So many alerts may stand open on the bare word of one gateway. A dishonest one could name each tag with each notice; what it says
beyond is counted on one alert about the gateway itself. What tags have sealed has no limit."""

_UNKNOWN_LIMIT = 8
"""Of notices with names unknown here, for one gateway."""

ENDS = {
    NoticeCode.MAINS_BACK: (NoticeCode.MAINS_LOST,),
    NoticeCode.RADIO_BACK: (NoticeCode.RADIO_DEAF,),
    NoticeCode.JAMMING_OVER: (NoticeCode.RADIO_JAMMED,),
    NoticeCode.CURFEW_KEPT: (NoticeCode.CURFEW_BROKEN,),
    NoticeCode.CENTRE_BACK: (NoticeCode.CENTRE_SILENT,),
    NoticeCode.CASE_CLOSED: (NoticeCode.CASE_OPENED,),
}
"""What a notice tells to be over. The alert says so, and stays."""

_NAME_LIMIT = 64
_NOTE_LIMIT = 2000


class Change(NamedTuple):
    """An alert that was raised, has happened again, is over or was acknowledged: as it is now."""

    what: str
    """`raised`, `again`, `named` (a provisional one has its record), `merged` (into another one), `over`, `acknowledged`."""
    alert: Alert


class AlertBook:
    """Latched alerts, the oldest first. A provisional alarm and its record make one alert; what recurs while nobody has looked is counted.

    A heartbeat has room for the low byte of a sequence only, which comes again with each new journal and each 256th record. So time
    decides too, and in doubt there is one alert too many. `heard` is when the gateway heard it; without it, `now`.

    With `rows` it goes on from there, and `save` writes what has changed since.
    """

    def __init__(self, rows: AlertRows | None = None) -> None:
        self._rows = rows
        self.changes: list[Change] = []
        """What happened since somebody last emptied this."""
        self._known: dict[tuple[str, int], datetime] = {}
        """When the record of an alarm was heard, by tag and low byte."""
        self._alerts: dict[int, Alert] = {}
        self._open: dict[tuple[str, str, str], int] = {}
        self._words: dict[str, set[int]] = {}
        """Open alerts on the word of each gateway."""
        self._dirty: dict[int, Alert] = {}
        self._newest = 0
        self.reload()

    def reload(self) -> None:
        """Forget what was not saved."""
        self._alerts.clear()
        self._open.clear()
        self._words.clear()
        self._dirty.clear()
        self._newest = 0 if self._rows is None else self._rows.newest_id()
        for alert in [] if self._rows is None else self._rows.open():
            self._alerts[alert.id] = alert
            self._open[alert.subject, alert.code, alert.key] = alert.id
            if alert.gateway:
                self._words.setdefault(alert.gateway, set()).add(alert.id)

    def save(self) -> None:
        """Within the transaction of what raised them; `saved` once that is committed."""
        if self._rows is not None and self._dirty:
            self._rows.put(self._dirty.values())

    def saved(self) -> None:
        self._dirty.clear()

    @property
    def alerts(self) -> list[Alert]:
        """All since the start, and those that were open then."""
        return list(self._alerts.values())

    @property
    def open(self) -> list[Alert]:
        return [self._alerts[ident] for ident in sorted(self._open.values())]

    def get(self, ident: int) -> Alert | None:
        return self._alerts.get(ident)

    def remember(self, tag: str, sequence: int, heard: datetime) -> None:
        """An alarm's record that is here since before the start."""
        self._known[tag, sequence & 0xFF] = heard

    # A person.

    def acknowledge(self, ident: int, note: str, by: str, now: datetime) -> Alert:
        """A person in this role has looked at it, and says what came of it; UserError where one of that is missing, or it is not open."""
        alert = self._alerts.get(ident)
        if alert is None or not alert.is_open:
            raise UserError(f"alert {ident} is not open; `strapline centre alerts --open` lists those that are")
        note, by = note.strip(), by.strip()
        if not note or len(note) > _NOTE_LIMIT:
            raise UserError(f"alert {ident}: a note of up to {_NOTE_LIMIT} characters says what was found; write one")
        if not by or len(by) > _NAME_LIMIT:
            raise UserError(f"alert {ident}: say in which role you acknowledge it")
        done = alert._replace(acknowledged_utc=now, acknowledged_by=by, note=note)
        self._put("acknowledged", done)
        self._open.pop((alert.subject, alert.code, alert.key), None)
        self._words.get(alert.gateway, set()).discard(ident)
        return done

    # What happens.

    def tell(self, subject: str, code: str, text: str, now: datetime, *, key: str = "", gateway: str = "") -> Alert:
        """It has happened: a new alert, or once more on the one that stands open."""
        open_one = self._open.get((subject, code, key))
        if open_one is not None:
            again = self._alerts[open_one]
            return self._put(
                "again",
                again._replace(times=again.times + 1, last_utc=None if now == again.raised_utc else now, over_utc=None),
            )
        words = self._words.setdefault(gateway, set()) if gateway else set()
        if len(words) >= WORD_LIMIT:
            return self.tell(
                gateway, "floods", "the gateway tells more than can be shown; the ledger has all of it", now
            )
        self._newest += 1
        words.add(self._newest)
        self._open[subject, code, key] = self._newest
        return self._put("raised", Alert(subject, code, text, now, self._newest, key, gateway))

    def over(self, subject: str, code: str, now: datetime, *, key: str = "") -> None:
        """What the open alert tells of is over. It stays."""
        ident = self._open.get((subject, code, key))
        if ident is not None and self._alerts[ident].over_utc is None:
            self._put("over", self._alerts[ident]._replace(over_utc=now))

    def _put(self, what: str, alert: Alert) -> Alert:
        self._alerts[alert.id] = self._dirty[alert.id] = alert
        self.changes.append(Change(what, alert))
        return alert

    def provisional(
        self, tag: str, newest_alarm: int, now: datetime, heard: datetime | None = None, gateway: str = ""
    ) -> None:
        """A heartbeat told of the alarm with this sequence (low byte) before its record came."""
        known = self._known.get((tag, newest_alarm))
        if known is not None and (heard or now) <= known + _SAME_ALARM:
            return
        if (tag, "alarm", str(newest_alarm)) not in self._open:
            text = "the tag reports an alarm; its record is still to come"
            self.tell(tag, "alarm", text, now, key=str(newest_alarm), gateway=gateway)

    def event(
        self, tag: str, sequence: int, code: int, now: datetime, *, allowed: bool = True, heard: datetime | None = None
    ) -> None:
        """An EVENT record has come; `allowed` says whether the schedule permits a LEFT_HOME."""
        if code == EventCode.LEFT_HOME and not allowed:
            self.tell(tag, "left_home", "left home outside a may-leave window", now)
        if code not in ALARMS:
            return
        known = EventCode(code)
        self._known[tag, sequence & 0xFF] = heard or now
        at = self._open.pop((tag, "alarm", str(sequence & 0xFF)), None)
        if at is None:
            self.tell(tag, known.name.lower(), MEANINGS[known].text, now)
        else:
            self._name(self._alerts[at], known, now)

    def _name(self, provisional: Alert, known: EventCode, now: datetime) -> None:
        """The record of a provisional alarm: it gets its name, or joins what stands open under that name."""
        code, text, tag = known.name.lower(), MEANINGS[known].text, provisional.subject
        self._words.get(provisional.gateway, set()).discard(provisional.id)
        open_one = self._open.get((tag, code, ""))
        if open_one is None:
            self._open[tag, code, ""] = provisional.id
            self._put("named", provisional._replace(code=code, text=text, key="", gateway=""))
            return
        self.tell(tag, code, text, now)
        self._put("merged", provisional._replace(code=code, text=text, merged_into=open_one))
        del self._alerts[provisional.id]

    def overdue(self, tag: str, now: datetime) -> None:
        """Out for longer than the schedule permits, and the tag does not know the time."""
        self.tell(tag, "left_home", "still out, outside a may-leave window", now)

    def conflict(self, subject: str, now: datetime) -> None:
        """A record came again with other content."""
        self.tell(subject, "conflict", "the same record came twice with different content", now)

    def unreadable(self, tag: str, now: datetime) -> None:
        """A genuine record that we cannot read: it may be an alarm of a newer firmware."""
        self.tell(tag, "unreadable", "a genuine record cannot be read; it is kept as it came", now)

    def refused(self, gateway: str, tag: str, now: datetime) -> None:
        """A gateway has sent something that cannot be opened; `tag` is empty for tags that are unknown here. One alert for each pair."""
        if tag:
            text = f"gateway {gateway} sends what this tag's keys do not open; it is kept as it came"
        else:
            text = "the gateway sends records of tags that are unknown here; they are kept as they came"
        self.tell(tag or gateway, "refused", text, now, key=gateway, gateway=gateway)

    def tampered(self, gateway: str, now: datetime) -> None:
        """Messages in a gateway's name are not genuine, and they are many."""
        text = "messages in this gateway's name were altered or forged on their way; none of them was believed"
        self.tell(gateway, "tampered", text, now)

    def notice(self, gateway: str, notice: Notice, now: datetime) -> None:
        """A gateway has told of itself, or of the air around it."""
        subject = notice.tag or gateway
        for ended in ENDS.get(NoticeCode(notice.code), ()) if notice.code in NOTICES else ():
            self.over(subject, ended, now, key=gateway)
        if notice.meaning.alert:
            code = notice.code if notice.code in NOTICES else self._unknown(subject, gateway, notice.code)
            self.tell(subject, code, notice.meaning.text, now, key=gateway, gateway=gateway)

    def _unknown(self, subject: str, gateway: str, code: str) -> str:
        strange = {
            known for of, known, _ in self._open if of == subject and known not in NOTICES and known not in _OURS
        }
        return code if code in strange or len(strange) < _UNKNOWN_LIMIT else "unknown_notices"

    def lost(self, gateway: str, now: datetime) -> None:
        """The broker told us that a gateway is gone (its last will)."""
        self.tell(gateway, "gateway_lost", "the gateway has gone without a word", now)


_OURS = frozenset(
    {
        "gateway_lost",
        "gateway_silent",
        "refused",
        "tampered",
        "conflict",
        "floods",
        "gap",
        "dropping",
        "unknown_notices",
    }
)

CODES = (
    _OURS
    | {code.name.lower() for code in ALARMS}
    | {str(code) for code, meaning in NOTICES.items() if meaning.alert}
    | {"alarm", "left_home", "unreadable", "two_places", "fault", "cut_off", "centre_stalled", "tag_silent"}
)
"""Every code that an alert of this version may have."""
