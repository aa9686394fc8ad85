"""The way from a station to the centre and back: what is kept until the centre's receipt, in memory; and the contract's messages.

They are handed over as they are: nobody writes them as JSON and seals them where no broker is between.

It keeps the outbox's and the relay's rules: alarms first, each record again after a growing pause and with each new connection, gone only
for a receipt. It has no disk, no window of unacknowledged messages and no beats: whether an end is there it is told.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from strapline_gateway.events import Presence, Provisional, Record, TimeRequest
from strapline_gateway.kept import kept_of
from strapline_gateway.outbox import ALARM_LANE
from strapline_gateway.relay import HISTORICAL_AFTER_S, WILL_DELAY_S
from strapline_protocol import contract
from strapline_protocol.contract import Message, Passage, Topic
from strapline_protocol.notices import Notice
from strapline_simulator.fleet.agenda import Agenda

MQTT_LATENCY_MS = 40
"""From one end of the broker to the other."""

_RETRY_MS = 30_000
_LONGEST_MS = (240_000, 3_600_000)
"""By lane, as the outbox has them."""

_START = 1

Event = Record | Presence | Provisional | Notice


class _Row:
    __slots__ = ("channel", "data", "due_ms", "lane", "pause_ms", "stored_ms", "tag")

    def __init__(self, lane: int, channel: str, tag: str, data: dict[str, Any], now_ms: int) -> None:
        self.lane = lane
        self.channel = channel
        self.tag = tag
        self.data = data
        self.stored_ms = self.due_ms = now_ms
        self.pause_ms = _RETRY_MS


class Ends(NamedTuple):
    """What a post is between."""

    to_centre: Callable[[Message], None]
    """A message that has come through the broker."""
    command: Callable[[str, bytes], None]
    """A command for a tag has come from the centre."""
    utc: Callable[[], datetime]


class Post:
    """Of one station."""

    def __init__(self, agenda: Agenda, ident: str, journal: int, ends: Ends) -> None:
        self._agenda = agenda
        self._ident = ident
        self._journal = journal
        self._ends = ends
        self._rows: dict[tuple[str, int], dict[int, _Row]] = {}
        """By source and journal, then by sequence."""
        self._sequence = self._said = self._states = 0
        self._connections = 0
        self._numbers: Counter[str] = Counter()
        self._connected_ms = 0
        self._wakes: int | None = None
        self.connected = False
        self.lost_told = False

    @property
    def waiting(self) -> int:
        """Records without a receipt."""
        return sum(map(len, self._rows.values()))

    # In.

    def keep(self, events: list[Event]) -> None:
        """What the station has to tell."""
        for event in events:
            self._put(event)
        self.publish_due()

    def _put(self, event: Event) -> None:
        kept = kept_of(event)
        now_ms = self._agenda.now_ms
        if kept.identity is None:
            self._sequence += 1
            tag, identity = str(kept.data.get("tag", "")), (self._ident, self._journal, self._sequence)
        else:
            tag, identity = kept.identity[0], kept.identity
        source, journal, sequence = identity
        rows = self._rows.setdefault((source, journal), {})
        if sequence not in rows:
            heard = {"heard": contract.utc_text(self._ends.utc()), "clock": "synchronised"}
            own = {"source": source, "journal": journal, "sequence": sequence}
            rows[sequence] = _Row(kept.lane, kept.channel, tag, kept.data | heard | own, now_ms)

    def ask_time(self, request: TimeRequest) -> None:
        """At once, or not at all."""
        if self.connected:
            self._publish(Topic(self._ident, "time", request.tag), {"request": contract.text_of(request.sealed)})

    # Out.

    def publish_due(self, _nothing: None = None) -> None:
        if not (self.connected and any(self._rows.values())):
            return
        now_ms = self._agenda.now_ms
        due = [
            (row.lane, row.stored_ms, source, journal, sequence, row)
            for (source, journal), rows in self._rows.items()
            for sequence, row in rows.items()
            if row.due_ms <= now_ms
        ]
        for _, _, source, journal, sequence, row in sorted(due, key=lambda one: one[:5]):
            self._publish_row(row, f"{source}-{journal:08x}-{sequence}")
            row.due_ms = now_ms + row.pause_ms
            row.pause_ms = min(row.pause_ms * 2, _LONGEST_MS[0 if row.lane == ALARM_LANE else 1])
        self._wake()

    def _wake(self) -> None:
        due_ms = min((row.due_ms for rows in self._rows.values() for row in rows.values()), default=None)
        if due_ms is not None and (self._wakes is None or self._wakes > due_ms or self._wakes <= self._agenda.now_ms):
            self._wakes = due_ms
            self._agenda.at(due_ms, self.publish_due)

    def _publish_row(self, row: _Row, ident: str) -> None:
        self._numbers[row.tag] += 1
        waited = row.stored_ms < self._connected_ms or self._agenda.now_ms - row.stored_ms > HISTORICAL_AFTER_S * 1000
        topic = Topic(self._ident, row.channel, row.tag if row.channel in contract.ABOUT_A_TAG else "")
        passage = Passage(waited, _START, self._numbers[row.tag])
        self._send(Message(topic, ident, self._ends.utc(), row.data, passage))

    def _publish(self, topic: Topic, data: dict[str, Any]) -> None:
        self._said += 1
        self._send(Message(topic, f"{topic.channel}-{self._said}", self._ends.utc(), data))

    def _send(self, message: Message) -> None:
        self._agenda.after(MQTT_LATENCY_MS, self._ends.to_centre, message)

    # The line.

    def connect(self) -> None:
        """There is a broker."""
        if self.connected:
            return
        self.connected, self.lost_told = True, False
        self._connections += 1
        self._connected_ms = self._agenda.now_ms
        self._say("online")
        for rows in self._rows.values():
            for row in rows.values():
                row.due_ms = self._agenda.now_ms
        self.publish_due()

    def disconnect(self) -> None:
        """The line is gone, or the broker. `lose` is the broker's to say."""
        self.connected = False

    def lose(self, _nothing: None = None) -> None:
        """The broker publishes the last will, unless the line has come back."""
        if not self.connected and not self.lost_told:
            self.lost_told = True
            lost = Message(Topic(self._ident, "state"), "will", self._ends.utc(), {"state": "lost", "start": _START})
            self._ends.to_centre(lost)

    def drop_line(self) -> None:
        """The line to the network breaks; the broker notices."""
        self.disconnect()
        self._agenda.after(WILL_DELAY_S * 1000, self.lose)

    def _say(self, state: str) -> None:
        self._states += 1
        data = {"state": state, "start": _START, "number": self._states, "connection": self._connections}
        self._publish(Topic(self._ident, "state"), data)

    # Back.

    def receive(self, message: Message) -> None:
        """From the centre, through the broker."""
        if not self.connected:
            return  # it comes again: receipts with the record's next publication, orders when the tag is heard
        channel, data = message.topic.channel, message.data
        if channel == "receipt":
            self._receipt(data)
            if "command" in data:
                self._ends.command(str(data["source"]), contract.octets(data, "command"))
        elif channel == "command":
            self._ends.command(message.topic.subject, contract.octets(data, "command"))

    def _receipt(self, data: dict[str, Any]) -> None:
        rows = self._rows.get((str(data["source"]), int(data["journal"])))
        if not rows:
            return
        base, bitmap = int(data["base"]), int(data["bitmap"])
        for sequence in [one for one in rows if one < base or _is_set(bitmap, one - base - 1)]:
            del rows[sequence]
        if "first" in data:
            first, far = int(data["first"]), int(data["far_bitmap"])
            for sequence in [one for one in rows if one == first or _is_set(far, one - first - 1)]:
                del rows[sequence]
        if "refused" in data:
            rows.pop(int(data["refused"]["sequence"]), None)


def _is_set(bitmap: int, bit: int) -> bool:
    return 0 <= bit < 32 and bool(bitmap >> bit & 1)
