"""What the desk has heard, as it stands in the ledger."""

import hashlib
from datetime import datetime

from strapline_centre.ledger import Entry, RefusedEntry
from strapline_protocol.desk import Arrival, GatewayRecord, Refused

CONFLICT = "conflict"
"""Among the reasons of what is refused: the identity was here with other content."""

_FIELDS = {
    "presence": ("tag", "present", "rssi_dbm", "verified", "range_class"),
    "alarm": ("tag", "newest_alarm", "state"),
    "notice": ("tag", "code", "detail"),
}


def entry_of(heard: Arrival | GatewayRecord, now: datetime) -> Entry:
    """A record of a tag, or what a gateway tells itself."""
    historical = None if heard.passage is None else heard.passage.historical
    if isinstance(heard, GatewayRecord):
        content = repr(sorted(heard.data.items())).encode()
        fields = {name: heard.data.get(name) for name in _FIELDS[heard.channel]}
        at = heard.gateway, heard.journal, heard.sequence
        times = heard.gateway, heard.heard, now
        return Entry(*at, heard.channel, content, fields, *times, clock=heard.clock, historical=historical)
    record = heard.record
    at = record.tag, record.journal, record.sequence
    said, times = (record.name, record.content, record.fields), (heard.gateway, heard.heard, now)
    return Entry(*at, *said, *times, heard.sealed, heard.clock, historical)


def refused_entry_of(heard: Refused, now: datetime) -> RefusedEntry:
    """What could not be opened."""
    at = heard.gateway, heard.tag, heard.known, heard.journal, heard.sequence
    return RefusedEntry(*at, heard.sealed, heard.digest, heard.reason, heard.heard, now)


def conflict_of(entry: Entry) -> RefusedEntry:
    """The other content that came under an identity that was here: evidence, each once."""
    identity = f"{entry.journal:08x}-{entry.sequence}-".encode()
    digest = hashlib.sha256(identity + entry.content).hexdigest()
    at = entry.gateway, entry.source, True, entry.journal, entry.sequence
    return RefusedEntry(*at, entry.sealed or entry.content, digest, CONFLICT, entry.gateway_utc, entry.centre_utc)
