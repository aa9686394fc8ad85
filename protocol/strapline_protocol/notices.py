"""What a gateway tells of itself and of the air around it, by name. Nothing about how it finds out."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class NoticeCode(StrEnum):
    """The names. A centre keeps and shows one that it does not know."""

    STARTED = "started"
    MAINS_LOST = "mains_lost"
    MAINS_BACK = "mains_back"
    BATTERY_LOW = "battery_low"
    BATTERY_CRITICAL = "battery_critical"
    LAST_GASP = "last_gasp"
    MOVED = "moved"
    CASE_OPENED = "case_opened"
    CASE_CLOSED = "case_closed"
    LINE_LOST = "line_lost"
    LINE_BACK = "line_back"
    RADIO_DEAF = "radio_deaf"
    RADIO_BACK = "radio_back"
    RADIO_RESTARTED = "radio_restarted"
    RADIO_JAMMED = "radio_jammed"
    JAMMING_OVER = "jamming_over"
    REPLAY_HEARD = "replay_heard"
    DELAYED_REPLAY_HEARD = "delayed_replay_heard"
    CLONE_HEARD = "clone_heard"
    CURFEW_BROKEN = "curfew_broken"
    CURFEW_KEPT = "curfew_kept"
    CENTRE_SILENT = "centre_silent"
    CENTRE_BACK = "centre_back"
    CLOCK_JUMPED = "clock_jumped"
    DISK_FULL = "disk_full"
    STORE_SET_ASIDE = "store_set_aside"
    POSITIONS_DROPPED = "positions_dropped"
    RANGE_TEST = "range_test"


class Meaning(NamedTuple):
    """What a notice means, whether it travels in the alarm lane, and whether a person at the centre must look at it."""

    text: str
    urgent: bool = False
    alert: bool = False


MEANINGS: Mapping[str, Meaning] = {
    NoticeCode.STARTED: Meaning("the gateway has started"),
    NoticeCode.MAINS_LOST: Meaning("the gateway has lost mains and runs on its battery", urgent=True, alert=True),
    NoticeCode.MAINS_BACK: Meaning("the gateway has mains again", urgent=True),
    NoticeCode.BATTERY_LOW: Meaning("the gateway's battery is low", urgent=True, alert=True),
    NoticeCode.BATTERY_CRITICAL: Meaning("the gateway's battery is nearly empty", urgent=True, alert=True),
    NoticeCode.LAST_GASP: Meaning("the gateway goes dark: its battery is empty", urgent=True, alert=True),
    NoticeCode.MOVED: Meaning("the gateway was moved", urgent=True, alert=True),
    NoticeCode.CASE_OPENED: Meaning("the gateway's case was opened", urgent=True, alert=True),
    NoticeCode.CASE_CLOSED: Meaning("the gateway's case was closed"),
    NoticeCode.LINE_LOST: Meaning("the gateway's line to the network was lost"),
    NoticeCode.LINE_BACK: Meaning("the gateway's line to the network is back"),
    NoticeCode.RADIO_DEAF: Meaning("the gateway's radio heard nothing and was restarted", alert=True),
    NoticeCode.RADIO_BACK: Meaning("the gateway's radio hears again"),
    NoticeCode.RADIO_RESTARTED: Meaning(
        "nobody was heard for a while, and somebody again soon after the gateway's radio was restarted"
    ),
    NoticeCode.RADIO_JAMMED: Meaning("noise covers the tags' radio", urgent=True, alert=True),
    NoticeCode.JAMMING_OVER: Meaning("the noise is over"),
    NoticeCode.REPLAY_HEARD: Meaning("recorded frames of a tag were sent again", urgent=True, alert=True),
    NoticeCode.DELAYED_REPLAY_HEARD: Meaning(
        "a tag's frames were recorded elsewhere and sent here later", urgent=True, alert=True
    ),
    NoticeCode.CLONE_HEARD: Meaning("a second device uses a tag's keys", urgent=True, alert=True),
    NoticeCode.CURFEW_BROKEN: Meaning("the tag is away against its schedule", urgent=True, alert=True),
    NoticeCode.CURFEW_KEPT: Meaning("the tag keeps its schedule again"),
    NoticeCode.CENTRE_SILENT: Meaning("the gateway heard nothing of the centre", alert=True),
    NoticeCode.CENTRE_BACK: Meaning("the gateway hears the centre again"),
    NoticeCode.CLOCK_JUMPED: Meaning("the gateway's clock was set", alert=True),
    NoticeCode.DISK_FULL: Meaning("the gateway's disk takes nothing more", urgent=True, alert=True),
    NoticeCode.STORE_SET_ASIDE: Meaning("the gateway's outbox was damaged and is set aside", urgent=True, alert=True),
    NoticeCode.POSITIONS_DROPPED: Meaning("the gateway's outbox was full: the oldest positions were dropped"),
    NoticeCode.RANGE_TEST: Meaning("a range test was made"),
}


class Notice(NamedTuple):
    """One of them: about a tag, where it names one. `detail` is a few integers by name, with their units in the names."""

    code: str
    tag: str = ""
    detail: Mapping[str, int] = {}

    @property
    def meaning(self) -> Meaning:
        """What is known of it; of one with an unknown name, that it is worth a look."""
        return MEANINGS.get(self.code) or Meaning(f"the gateway tells {self.code!r}, which is unknown here", alert=True)
