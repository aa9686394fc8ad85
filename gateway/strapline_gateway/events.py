"""What the station wants done, and what it has to tell: immutable, and nothing about how it finds out."""

from typing import NamedTuple

from strapline_protocol.definitions import State
from strapline_protocol.notices import Notice
from strapline_wire import frames


class Connect(NamedTuple):
    """Call on this tag at this address."""

    tag: str
    address: str


class Abandon(NamedTuple):
    """The call on this tag, which is not through yet, goes to an address that the tag has left: end it, then say `call_abandoned`."""

    tag: str


class Transmit(NamedTuple):
    """Bytes for a link."""

    link: int
    data: bytes


class HangUp(NamedTuple):
    """Close a link."""

    link: int


class Presence(NamedTuple):
    """A tag has come or gone, or is heard from another distance."""

    tag: str
    present: bool
    rssi_dbm: int | None
    verified: bool = True
    """A session has proved the tag's uptime; until then recorded heartbeats look the same."""
    range_class: str = ""
    """The name of `presence.CLASSES` that the signal falls into; empty where the station was given no limits."""


class Provisional(NamedTuple):
    """A heartbeat told of an alarm whose record is still to come."""

    tag: str
    newest_alarm: int
    state: State


class Record(NamedTuple):
    """A sealed record that must reach the centre."""

    tag: str
    envelope: frames.Envelope
    sealed: bytes


class TimeRequest(NamedTuple):
    """A sealed request for the time: worth nothing in ten seconds."""

    tag: str
    sealed: bytes


class Ring(NamedTuple):
    """An order waits for a tag that calls us and has no line: have its modem paged. Lost or repeated, it does no harm."""

    tag: str


Event = Notice | Ring | Connect | Abandon | Transmit | HangUp | Presence | Provisional | Record | TimeRequest
