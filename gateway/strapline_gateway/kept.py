"""What an event of the station is in the outbox: its lane, its channel, whose number it bears, its data."""

from typing import Any, NamedTuple

from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Dropped
from strapline_gateway.salvage import SetAside
from strapline_gateway.station import Presence, Provisional, Record
from strapline_protocol import contract
from strapline_protocol.notices import Notice, NoticeCode
from strapline_wire import frames

Event = Record | Presence | Provisional | Notice


class Kept(NamedTuple):
    """An event as it goes into the outbox. `identity`: (source, journal, sequence) of a tag's record; None for one of the gateway's own."""

    lane: int
    channel: str
    data: dict[str, Any]
    identity: tuple[str, int, int] | None = None


def kept_of(event: Event) -> Kept:
    """When it was heard, and by what clock, is still to be added."""
    if isinstance(event, Record):
        return _record(event)
    if isinstance(event, Presence):
        data = {"tag": event.tag, "present": event.present, "rssi_dbm": event.rssi_dbm, "verified": event.verified}
        data |= {"range_class": event.range_class} if event.range_class else {}
        return Kept(HISTORY_LANE, "presence", data)
    if isinstance(event, Notice):
        about = {"tag": event.tag} if event.tag else {}
        lane = ALARM_LANE if event.meaning.urgent else HISTORY_LANE
        return Kept(lane, "notice", {"code": str(event.code), **about, "detail": dict(event.detail)})
    return Kept(ALARM_LANE, "alarm", {"tag": event.tag, "newest_alarm": event.newest_alarm, "state": int(event.state)})


def _record(event: Record) -> Kept:
    envelope = event.envelope
    alarm = bool(envelope.flags & 1)
    channel = "position" if envelope.kind == frames.FIX else "event"
    data = {"record": contract.text_of(event.sealed), "alarm": alarm}
    identity = event.tag, envelope.origin, envelope.number
    return Kept(ALARM_LANE if alarm else HISTORY_LANE, channel, data, identity)


def notice_of_drop(dropped: Dropped) -> Notice:
    """Which positions of a tag were dropped: of this journal, between two sequences, as far as they do not come after all."""
    detail = dropped._asdict() | {
        "first_utc_s": int(dropped.first_utc_s),
        "last_utc_s": int(dropped.last_utc_s),
    }
    tag, detail["count"] = detail.pop("source"), detail.pop("positions")
    return Notice(NoticeCode.POSITIONS_DROPPED, tag, detail)


def notice_of_damage(told: SetAside) -> Notice:
    """What became of a damaged outbox. After damage to the log alone, `lost` counts transactions, and the rows that were there went on."""
    if told.log_only:
        return Notice(NoticeCode.STORE_SET_ASIDE, detail={"transactions_lost": told.lost})
    return Notice(NoticeCode.STORE_SET_ASIDE, detail={"rows_rescued": told.rescued, "rows_lost": told.lost})
