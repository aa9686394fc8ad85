"""The relay: out of the outbox onto MQTT, receipts and commands back. It speaks the contract, and leaves the client to others."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Item, Outbox
from strapline_gateway.station import Presence, Provisional, Record, TimeRequest
from strapline_protocol import contract, rekeying
from strapline_protocol.contract import Message, Topic
from strapline_protocol.keys import CentreKeys, GatewayKeys
from strapline_protocol.mqtt import MqttClient, Will
from strapline_protocol.notices import Notice
from strapline_protocol.records import RecordOpener
from strapline_wire import frames
from strapline_wire.errors import RemoteProtocolError

WINDOW = 64
"""Records on their way to the broker without a PUBACK; the rest waits in the outbox, where an alarm can still overtake it."""

ALARM_RESERVE = 16
"""So many alarms more, when the window is full of history that the broker is slow to take."""

PUBACK_LIMIT_S = 60.0
"""After this a PUBACK is not waited for any more: the broker has refused the message, and does not say so."""

_WILL_DELAY_S = 30


def state_will(gateway: str, key: bytes, now: datetime, start: int) -> Will:
    """The last will: the broker says `lost` for a gateway that went without a word. `start` is the outbox's."""
    topic = Topic(gateway, "state")
    lost = Message(topic, "will", now, {"state": "lost", "start": start})
    return Will(str(topic), contract.encode(lost, key), retain=True, delay_s=_WILL_DELAY_S)


class Relay:
    """Give it what the station hears; it keeps it, publishes it, and lets it go when the centre's receipt is here.

    `utc()` gives the wall clock, `clock()` the seconds that resending is counted in; `on_command(tag, sealed)` takes what the centre
    sends to a tag, `on_keys(keys, generation)` a tag's next keys (False: not taken), `on_schedule(tag, revision, curfew)` a schedule
    to judge by (False: old, or not taken here); `entropy(n)` gives n random bytes. `tags` are keys of
    tags: beside the sealed records of those that have an end-to-end key among them, what they say is published in clear.
    """

    def __init__(
        self,
        gateway: str,
        key: bytes,
        outbox: Outbox,
        client: MqttClient,
        *,
        utc: Callable[[], datetime],
        clock: Callable[[], float],
        on_command: Callable[[str, bytes], None],
        entropy: Callable[[int], bytes],
        tags: Iterable[GatewayKeys] = (),
        on_keys: Callable[[GatewayKeys, int], bool] = lambda _keys, _generation: False,
        on_schedule: Callable[[str, int, bytes], bool] = lambda _tag, _revision, _curfew: False,
    ) -> None:
        self._gateway = gateway
        self._key = key
        self._outbox = outbox
        self._client = client
        self._utc = utc
        self._clock = clock
        self._on_command = on_command
        self._on_keys = on_keys
        self._on_schedule = on_schedule
        self._opener = RecordOpener(CentreKeys(tag.tag, tag.end_to_end) for tag in tags if tag.end_to_end is not None)
        self._journal = outbox.own_journal(int.from_bytes(entropy(4), "big"))
        self._started_ms = int(utc().timestamp() * 1000)
        self._said = 0
        self._start = outbox.start
        self._states = 0
        self._beat_at = 0.0
        self._unacknowledged: dict[int, float] = {}
        """When each record on its way was published, by its token, the oldest first."""
        self.on_change: Callable[[], None] = _nobody
        """Told when the broker did something that may move `next_deadline`."""
        self.connected = False
        self._ended = False
        self.rejected: dict[str, int] = {}
        self.beat_heard_at: float | None = None
        """When the centre last said that it is there, on `clock`."""
        self.refused = 0
        """Records that the centre cannot open, and that were let go for it."""

    # From the station.

    def keep(self, event: Record | Presence | Provisional | Notice) -> None:
        """Store what must reach the centre, then publish it."""
        now = self._utc()
        heard = contract.utc_text(now)
        if isinstance(event, Record):
            envelope = event.envelope
            alarm = bool(envelope.flags & 1)
            data = {"record": contract.text_of(event.sealed), "heard": heard, "alarm": alarm}
            channel = "position" if envelope.kind == frames.FIX else "event"
            lane = ALARM_LANE if alarm else HISTORY_LANE
            self._outbox.put(lane, channel, event.tag, envelope.origin, envelope.number, data, now.timestamp())
        elif isinstance(event, Presence):
            data = {"tag": event.tag, "present": event.present, "rssi_dbm": event.rssi_dbm, "heard": heard}
            data |= {"verified": event.verified} | ({"range_class": event.range_class} if event.range_class else {})
            self._own(HISTORY_LANE, "presence", data, now)
        elif isinstance(event, Notice):
            about = {"tag": event.tag} if event.tag else {}
            data = {"code": event.code, **about, "detail": dict(event.detail), "heard": heard}
            self._own(ALARM_LANE if event.meaning.urgent else HISTORY_LANE, "notice", data, now)
        else:
            data = {"tag": event.tag, "newest_alarm": event.newest_alarm, "state": int(event.state), "heard": heard}
            self._own(ALARM_LANE, "alarm", data, now)
        self.publish_due()

    def _own(self, lane: int, channel: str, data: dict[str, Any], now: datetime) -> None:
        self._outbox.put_own(lane, channel, self._gateway, self._journal, data, now.timestamp())

    def ask_time(self, request: TimeRequest) -> None:
        """Pass a request for the time on at once: it is worth nothing later, so it is not kept."""
        if self.connected:
            data = {"request": contract.text_of(request.sealed)}
            self._publish(Topic(self._gateway, "time", request.tag), self._ident("time"), data)

    # To the broker.

    def publish_due(self) -> None:
        """Publish what is due, as much as the window lets through."""
        if not self.connected:
            return
        now = self._clock()
        if now >= self._beat_at:
            self._say("online")
        self._unacknowledged = {t: at for t, at in self._unacknowledged.items() if now < at + PUBACK_LIMIT_S}
        room = WINDOW - len(self._unacknowledged)
        items = self._outbox.take_due(now, room) if room > 0 else []
        if room <= 0 and room + ALARM_RESERVE > 0:
            items = self._outbox.take_due(now, room + ALARM_RESERVE, ALARM_LANE)
        for item in items:
            subject = str(item.data.get("tag", item.source)) if item.channel in contract.ABOUT_A_TAG else ""
            topic = Topic(self._gateway, item.channel, subject)
            ident = f"{item.source}-{item.journal:08x}-{item.sequence}"
            data = {**item.data, "source": item.source, "journal": item.journal, "sequence": item.sequence}
            data |= self._readable(item)
            self._unacknowledged[self._publish(topic, ident, data)] = now

    def _readable(self, item: Item) -> dict[str, Any]:
        """`fields`, where this gateway was given the tag's end-to-end key; by default it was not."""
        if "record" not in item.data or item.source not in self._opener.tags:
            return {}
        try:
            record = self._opener.open_record(item.source, contract.octets(item.data, "record"))
        except RemoteProtocolError:
            return {}
        return {"fields": {"kind": record.name, **record.fields}} if record.body is not None else {}

    def next_deadline(self) -> float | None:
        """When `publish_due` has something to do; None while there is no broker."""
        if not self.connected:
            return None
        if len(self._unacknowledged) >= WINDOW:
            return min(self._beat_at, next(iter(self._unacknowledged.values())) + PUBACK_LIMIT_S)
        due_s = self._outbox.next_due_s()
        return self._beat_at if due_s is None else min(self._beat_at, due_s)

    # What the gateway remembers.

    def keep_slots(self, slots: Mapping[str, int]) -> None:
        """Remember the tags' pseudonym slots over a restart."""
        for tag, slot in slots.items():
            self._outbox.note(f"slot/{tag}", slot)

    def slots(self) -> dict[str, int]:
        """The slots that `keep_slots` has kept, by tag."""
        notes = self._outbox.notes()
        return {name.removeprefix("slot/"): slot for name, slot in notes.items() if name.startswith("slot/")}

    # Our own state.

    def say_goodbye(self) -> None:
        """A clean end: the retained state says `offline`, so that nobody takes it for a loss. Nothing is published after it."""
        self._say("offline")
        self.connected = False
        self._ended = True

    def _say(self, state: str) -> None:
        self._states += 1
        data = {"state": state, "start": self._start, "number": self._states}
        self._publish(Topic(self._gateway, "state"), self._ident("state"), data, retain=True)
        self._beat_at = self._clock() + contract.BEAT_S

    def _ident(self, kind: str) -> str:
        self._said += 1
        return f"{kind}-{self._started_ms}-{self._said}"

    def _publish(self, topic: Topic, ident: str, data: Mapping[str, Any], *, retain: bool = False) -> int:
        message = Message(topic, ident, self._utc(), dict(data))
        return self._client.publish(str(topic), contract.encode(message, self._key), retain=retain)

    # From the broker.

    def mqtt_connected(self) -> None:
        if self._ended:
            return
        self.connected = True
        self._say("online")
        self._outbox.due_again()
        self.publish_due()
        self.on_change()

    def mqtt_disconnected(self, _reason: str) -> None:
        self.connected = False

    def mqtt_published(self, token: int) -> None:
        """A PUBACK says that the broker has it, not that the centre has: nothing leaves the outbox for it. It only makes room."""
        if self._unacknowledged.pop(token, None) is not None and len(self._unacknowledged) <= WINDOW // 2:
            self.publish_due()
            self.on_change()

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        try:
            message = contract.decode(topic, payload, self._key)
            if message.topic.gateway != self._gateway:
                raise RemoteProtocolError("topic", topic)
            if message.topic.channel == "receipt":
                self._receipt(message)
            elif message.topic.channel == "command" and message.topic.subject:
                self._on_command(message.topic.subject, contract.octets(message.data, "command"))
            elif message.topic.channel == "keys" and message.topic.subject:
                self._take_keys(message)
            elif message.topic.channel == "schedule" and message.topic.subject:
                self._take_schedule(message)
            elif message.topic.channel == "beat":
                self.beat_heard_at = self._clock()
            else:
                raise RemoteProtocolError("topic", topic)
        except RemoteProtocolError as error:
            self.rejected[error.reason] = self.rejected.get(error.reason, 0) + 1

    def _take_keys(self, message: Message) -> None:
        tag, topic = message.topic.subject, str(message.topic)
        keys, generation = rekeying.unwrap(tag, message.data, topic, self._key)
        if not self._on_keys(keys, generation):
            raise RemoteProtocolError("keys_not_taken", tag)
        self._publish(Topic(self._gateway, "keyed", tag), self._ident("keyed"), {"generation": generation})

    def _take_schedule(self, message: Message) -> None:
        tag, revision = message.topic.subject, contract.number(message.data, "revision")
        if not self._on_schedule(tag, revision, contract.octets(message.data, "curfew")):
            raise RemoteProtocolError("schedule_not_taken", tag)

    def _receipt(self, message: Message) -> None:
        data = message.data
        source, journal = data.get("source"), contract.number(data, "journal")
        base, bitmap = contract.number(data, "base"), contract.number(data, "bitmap")
        command = contract.octets(data, "command") if "command" in data else None
        if not isinstance(source, str) or not contract.is_ident(source):
            raise RemoteProtocolError("malformed", "source")
        far = (contract.number(data, "first"), contract.number(data, "far_bitmap")) if "first" in data else None
        refused = _refused(data) if "refused" in data else None
        self._outbox.receipted(source, journal, base, bitmap)
        if far is not None:
            self._outbox.receipted_far(source, journal, *far)
        if refused is not None:
            self.refused += self._outbox.refused(source, journal, *refused)
        if command is not None:
            self._on_command(source, command)


def _refused(data: dict[str, Any]) -> tuple[int, str]:
    """(sequence, digest) of what the centre cannot open."""
    refused = data["refused"]
    if not isinstance(refused, dict) or not contract.is_digest(refused.get("digest")):
        raise RemoteProtocolError("malformed", "refused")
    return contract.number(refused, "sequence"), refused["digest"]


def _nobody() -> None:
    """Nobody has asked to be told."""


def subscriptions(gateway: str) -> list[str]:
    """The topic filters of a gateway: what is addressed to it, and nothing else."""
    return [
        f"{contract.ROOT}/{gateway}/{channel}" + ("/+" if channel in contract.ABOUT_A_TAG else "")
        for channel in contract.FROM_THE_CENTRE
    ]


def utc_now() -> datetime:
    """The wall clock of this machine."""
    return datetime.now(UTC)
