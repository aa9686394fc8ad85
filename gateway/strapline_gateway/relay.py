"""The relay: out of the outbox onto MQTT, receipts and commands back. It speaks the contract, and leaves the client to others."""

import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from strapline_gateway.centrewatch import CentreWatch
from strapline_gateway.clockwatch import ClockWatch
from strapline_gateway.kept import Event, kept_of, notice_of_damage, notice_of_drop
from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Item, Outbox
from strapline_gateway.pace import Pace
from strapline_gateway.station import TimeRequest
from strapline_protocol import contract, rekeying
from strapline_protocol.contract import Message, Passage, Topic
from strapline_protocol.keys import CentreKeys, GatewayKeys
from strapline_protocol.mqtt import MqttClient, Will
from strapline_protocol.notices import Notice, NoticeCode
from strapline_protocol.records import RecordOpener
from strapline_wire.errors import RemoteProtocolError

WINDOW = 64
"""Records on their way to the broker without a PUBACK; the rest waits in the outbox, where an alarm can still overtake it."""

ALARM_RESERVE = 16
"""So many alarms more, when the window is full of history that the broker is slow to take."""

PUBACK_LIMIT_S = 60.0
"""After this a PUBACK is not waited for any more: the broker has refused the message, and does not say so."""

HISTORICAL_AFTER_S = 300.0
"""What has waited so long, or for a connection, is marked: it is no news of this moment."""

EXPIRY_MARGIN_S = 30
"""So long after a position goes out again it expires at the broker, which so holds two of each at most, however long the centre is away."""

_TELL_DROPPED_EVERY_S = 600.0
_BEATS_KNOWN = "centre_beats"
WILL_DELAY_S = 30


def state_will(gateway: str, key: bytes, now: datetime, start: int) -> Will:
    """The last will: the broker says `lost` for a gateway that went without a word. `start` is the outbox's."""
    topic = Topic(gateway, "state")
    lost = Message(topic, "will", now, {"state": "lost", "start": start})
    return Will(str(topic), contract.encode(lost, key), retain=True, delay_s=WILL_DELAY_S)


class RelayStatus(NamedTuple):
    """How it stands, for metrics and a look from outside. Ages and times are in seconds."""

    connected: bool
    centre_silent: bool
    clock: str
    """`synchronised`, `unsure` or `set`, as in the contract."""
    alarms_waiting: int
    history_waiting: int
    oldest_alarm_age_s: float | None
    oldest_history_age_s: float | None
    published: int
    receipted: int
    refused: int
    dropped_positions: int
    outbox_bytes: int
    outbox_limit_bytes: int
    start: int
    rejected: Mapping[str, int]


class _Receipt(NamedTuple):
    source: str
    journal: int
    base: int
    bitmap: int
    far: tuple[int, int] | None
    refused: tuple[int, str] | None


class Relay:
    """Give it what the station hears; it keeps it, publishes it, and lets it go when the centre's receipt is here.

    `utc()` gives the wall clock, `clock()` the seconds that resending is counted in; `on_command(tag, sealed)` takes what the centre
    sends to a tag, `on_keys(keys, generation)` a tag's next keys (False: not taken), `on_schedule(tag, revision, curfew)` a schedule
    to judge by (False: old, or not taken here); `entropy(n)` gives n random bytes. `tags` are keys of
    tags: beside the sealed records of those that have an end-to-end key among them, what they say is published in clear.
    `clock_synchronised()` says whether the wall clock is kept by a time service, None where nobody can tell.
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
        clock_synchronised: Callable[[], bool | None] = lambda: None,
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
        self._entropy = entropy
        self.use_tags(tags)
        self._started_ms = int(utc().timestamp() * 1000)
        self._said = 0
        self._start = outbox.start
        self._states = 0
        self._connections = 0
        self._beat_at = 0.0
        self._clock_watch = ClockWatch(clock_synchronised)
        self._centre_watch = CentreWatch(expects_beats=_BEATS_KNOWN in outbox.notes())
        self._pace = Pace(f"{gateway}/{outbox.start}")
        self._numbers: Counter[str] = Counter()
        """Of the last message about each tag."""
        self._waited_until = 0
        """Rows up to this number were there before the connection."""
        self._tell_dropped_at = float("-inf")
        self._damaged_told = 0
        self._untold: list[Notice] = []
        """What a disk that failed has not taken of our own notices."""
        self._receipts: list[_Receipt] = []
        self._unacknowledged: dict[int, float] = {}
        """When each record on its way was published, by its token, the oldest first."""
        self.on_change: Callable[[], None] = _nobody
        """Told when the broker did something that may move `next_deadline`."""
        self.defer: Callable[[], bool] = _at_once
        """Asked whether somebody will call `keep_all` shortly: receipts wait for it then, to be carried out together."""
        self.connected = False
        self._ended = False
        self.rejected: dict[str, int] = {}
        self.beat_heard_at: float | None = None
        """When the centre last said that it is there, on `clock`."""
        self.refused = 0
        """Records that the centre cannot open, and that were let go for it."""
        self.published = 0
        self.receipted = 0
        self._adopt_outbox()

    def _adopt_outbox(self) -> None:
        self._journal = self._outbox.own_journal(int.from_bytes(self._entropy(4), "big"))
        told, self._outbox.set_aside = self._outbox.set_aside, None
        if told is not None:
            self._untold.append(notice_of_damage(told))
            with suppress(sqlite3.Error):  # then it goes with the next that is kept
                self.keep_all([])

    def mend(self) -> bool:
        """The outbox was found damaged in use: it is set aside, and a new one begun. False where it is not damaged after all."""
        if not self._outbox.mend():
            return False
        self._waited_until = self._outbox.newest
        self._adopt_outbox()
        return True

    # From the station.

    def keep(self, event: Event) -> None:
        """Store what must reach the centre, then publish it."""
        self.keep_all([event])

    def keep_all(self, events: Iterable[Event], slots: Mapping[str, int] | None = None) -> None:
        """The same for several, and the receipts that wait, in one transaction; nothing is published before that is on the disk."""
        now, self._untold = self._utc(), self._news()
        all_of_them = [*self._untold, *events]
        receipts, self._receipts = self._receipts, []
        if not (all_of_them or receipts or slots):
            return
        gone = 0

        def work() -> None:
            nonlocal gone
            gone = sum(self._let_go(receipt) for receipt in receipts)
            for event in all_of_them:
                self._put(event, now)
            self.keep_slots(slots or {})

        self._outbox.commit(work)
        self._untold = []
        if gone:
            self._told_of_receipts(gone)
        self.publish_due()

    def _put(self, event: Event, now: datetime) -> None:
        kept = kept_of(event)
        heard = {"heard": contract.utc_text(now), "clock": self._clock_watch.quality(self._clock())}
        data, utc_s = kept.data | heard, now.timestamp()
        if kept.identity is None:
            self._outbox.put_own(kept.lane, kept.channel, self._gateway, self._journal, data, utc_s)
        else:
            self._outbox.put(kept.lane, kept.channel, *kept.identity, data, utc_s)

    def _news(self) -> list[Notice]:
        """What the relay itself has to tell by now."""
        now, told = self._clock(), [*self._untold]
        jump_s = self._clock_watch.look(self._utc().timestamp(), now)
        if jump_s is not None:
            told.append(Notice(NoticeCode.CLOCK_JUMPED, detail={"jump_s": round(jump_s)}))
        if (notice := self._centre_watch.look(now)) is not None:
            told.append(notice)
        if self._outbox.damaged_rows > self._damaged_told:
            damaged, self._damaged_told = self._outbox.damaged_rows - self._damaged_told, self._outbox.damaged_rows
            told.append(Notice(NoticeCode.STORE_SET_ASIDE, detail={"rows_damaged": damaged}))
        return told

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
        self._keep_news(now)
        if now >= self._beat_at:
            self._say("online")
        self._unacknowledged = {t: at for t, at in self._unacknowledged.items() if now < at + PUBACK_LIMIT_S}
        room = WINDOW - len(self._unacknowledged)
        for item in self._take(now, room):
            self._unacknowledged[self._publish_item(item)] = now

    def _keep_news(self, now: float) -> None:
        news = self._untold = self._news()
        tell_dropped = self._outbox.has_dropped and now >= self._tell_dropped_at
        if not (news or tell_dropped):
            return
        utc = self._utc()

        def work() -> None:
            for notice in news:
                self._put(notice, utc)
            if tell_dropped:
                self._outbox.tell_dropped(lambda dropped: self._put(notice_of_drop(dropped), utc))

        self._outbox.commit(work)
        self._untold = []
        if tell_dropped:
            self._tell_dropped_at = now + _TELL_DROPPED_EVERY_S

    def _take(self, now: float, room: int) -> list[Item]:
        if room <= 0 or now < self._pace.history_from_s:
            room = max(room, room + ALARM_RESERVE) if room <= 0 else room
            return self._outbox.take_due(now, room, ALARM_LANE) if room > 0 else []
        items = self._outbox.take_due(now, room, most_open=self._pace.most_open)
        if any(item.lane == HISTORY_LANE and item.tries for item in items):
            self._pace.timed_out()
        return items

    def _publish_item(self, item: Item) -> int:
        has_tag = item.channel in contract.ABOUT_A_TAG
        own = item.data if item.source == self._gateway else {}
        about = str(own.get("tag", "")) if own else item.source
        self._numbers[about] += 1
        waited_s = self._utc().timestamp() - item.stored_utc_s
        historical = item.ident <= self._waited_until or waited_s > HISTORICAL_AFTER_S
        passage = Passage(historical, self._start, self._numbers[about])
        topic = Topic(self._gateway, item.channel, about if has_tag else "")
        ident = f"{item.source}-{item.journal:08x}-{item.sequence}"
        message = Message(topic, ident, self._utc(), {}, passage)
        text = contract.canonical(item.data | readable) if (readable := self._readable(item)) else item.text
        # On MQTT 5. What expires goes out again, so nothing is lost by it.
        expiry_s = math.ceil(item.pause_s) + EXPIRY_MARGIN_S if item.channel == "position" else None
        self.published += 1
        return self._client.publish(str(topic), contract.encode_text(message, text, self._key), expiry_s=expiry_s)

    def _readable(self, item: Item) -> dict[str, Any]:
        """`fields`, where this gateway was given the tag's end-to-end key; by default it was not."""
        if item.source not in self._opener.tags or "record" not in item.data:
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
        deadlines = [self._beat_at, self._centre_watch.next_deadline(), self._next_publish()]
        return min(deadline for deadline in deadlines if deadline is not None)

    def _next_publish(self) -> float | None:
        if len(self._unacknowledged) >= WINDOW:
            return next(iter(self._unacknowledged.values())) + PUBACK_LIMIT_S
        if self._clock() < self._pace.history_from_s:
            due_s = self._outbox.next_due_s(ALARM_LANE)
            return self._pace.history_from_s if due_s is None else min(due_s, self._pace.history_from_s)
        return self._outbox.next_due_s(fresh_history=self._outbox.open_history < self._pace.most_open)

    def status(self) -> RelayStatus:
        """How it stands now."""
        outbox, utc_s = self._outbox, self._utc().timestamp()
        oldest = (outbox.oldest_utc_s(ALARM_LANE), outbox.oldest_utc_s(HISTORY_LANE))
        ages = [None if kept_utc_s is None else max(0.0, utc_s - kept_utc_s) for kept_utc_s in oldest]
        return RelayStatus(
            connected=self.connected,
            centre_silent=self._centre_watch.is_silent,
            clock=self._clock_watch.quality(self._clock()),
            alarms_waiting=outbox.held(ALARM_LANE),
            history_waiting=outbox.held(HISTORY_LANE),
            oldest_alarm_age_s=ages[0],
            oldest_history_age_s=ages[1],
            published=self.published,
            receipted=self.receipted,
            refused=self.refused,
            dropped_positions=outbox.dropped_positions,
            outbox_bytes=outbox.used_bytes,
            outbox_limit_bytes=outbox.limits.limit_bytes,
            start=self._start,
            rejected=dict(self.rejected),
        )

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

    def use_tags(self, tags: Iterable[GatewayKeys]) -> None:
        """These are the tags now; as `tags` at the start."""
        self._opener = RecordOpener(CentreKeys(tag.tag, tag.end_to_end) for tag in tags if tag.end_to_end is not None)

    def use_key(self, key: bytes) -> None:
        """Seal and open with another key of the gateway and its centre from now on."""
        self._key = key

    def say_goodbye(self) -> None:
        """A clean end: the retained state says `offline`, so that nobody takes it for a loss. Nothing is published after it."""
        self._say("offline")
        self.connected = False
        self._ended = True

    def _say(self, state: str) -> None:
        self._states += 1
        data = {"state": state, "start": self._start, "number": self._states, "connection": max(1, self._connections)}
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
        self._connections += 1
        now = self._clock()
        self._say("online")
        self._outbox.due_again()
        self._waited_until = self._outbox.newest
        self._pace.connected(now, self._outbox.held(HISTORY_LANE))
        self._centre_watch.connected(now)
        self.publish_due()
        self.on_change()

    def mqtt_disconnected(self, _reason: str) -> None:
        self.connected = False
        self._centre_watch.disconnected()

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
                self._beat(message)
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
        self._receipts.append(_Receipt(source, journal, base, bitmap, far, refused))
        if not self.defer():
            self.keep_all([])
        if command is not None:
            self._on_command(source, command)

    def _let_go(self, receipt: _Receipt) -> int:
        source, journal = receipt.source, receipt.journal
        gone = self._outbox.receipted(source, journal, receipt.base, receipt.bitmap)
        if receipt.far is not None:
            gone += self._outbox.receipted_far(source, journal, *receipt.far)
        if receipt.refused is not None:
            refused = self._outbox.refused(source, journal, *receipt.refused)
            self.refused += refused
            gone += refused
        return gone

    def _told_of_receipts(self, gone: int) -> None:
        self.receipted += gone
        self._pace.receipted(gone)
        self._centre_watch.receipt(self._clock())
        self.on_change()

    def _beat(self, message: Message) -> None:
        now = self._clock()
        was_known = self._centre_watch.expects_beats
        epoch, number = contract.number(message.data, "epoch"), contract.number(message.data, "number")
        if not self._centre_watch.beat(epoch, number, now):
            raise RemoteProtocolError("old_beat", message.topic.gateway)
        self.beat_heard_at = now
        if not was_known:
            self._outbox.note(_BEATS_KNOWN, 1)
        self.publish_due()
        self.on_change()


def _refused(data: dict[str, Any]) -> tuple[int, str]:
    """(sequence, digest) of what the centre cannot open."""
    refused = data["refused"]
    if not isinstance(refused, dict) or not contract.is_digest(refused.get("digest")):
        raise RemoteProtocolError("malformed", "refused")
    return contract.number(refused, "sequence"), refused["digest"]


def _nobody() -> None:
    """Nobody has asked to be told."""


def _at_once() -> bool:
    """Nobody comes later."""
    return False


def subscriptions(gateway: str) -> list[str]:
    """The topic filters of a gateway: what is addressed to it, and nothing else."""
    return [
        f"{contract.ROOT}/{gateway}/{channel}" + ("/+" if channel in contract.ABOUT_A_TAG else "")
        for channel in contract.FROM_THE_CENTRE
    ]


def utc_now() -> datetime:
    """The wall clock of this machine."""
    return datetime.now(UTC)
