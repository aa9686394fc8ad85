"""The relay: out of the outbox onto MQTT, receipts and commands back. It speaks the contract, and leaves the client to others."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from strapline_gateway.outbox import ALARM_LANE, HISTORY_LANE, Outbox
from strapline_gateway.station import Presence, Provisional, Record, TimeRequest
from strapline_protocol import contract
from strapline_protocol.contract import Message, Topic
from strapline_protocol.mqtt import MqttClient, Will
from strapline_wire import frames
from strapline_wire.errors import RemoteProtocolError

WINDOW = 64
"""Records published in one go; the rest waits for receipts or for its time."""

_WILL_DELAY_S = 30


def state_will(gateway: str, key: bytes, now: datetime) -> Will:
    """The last will: the broker says `lost` for a gateway that went without a word."""
    topic = Topic(gateway, "state")
    lost = Message(topic, "will", now, {"state": "lost"})
    return Will(str(topic), contract.encode(lost, key), retain=True, delay_s=_WILL_DELAY_S)


class Relay:
    """Give it what the station hears; it keeps it, publishes it, and lets it go when the centre's receipt is here.

    `utc()` gives the wall clock, `clock()` the seconds that resending is counted in; `on_command(tag, sealed)` takes what the centre
    sends to a tag; `entropy(n)` gives n random bytes.
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
    ) -> None:
        self._gateway = gateway
        self._key = key
        self._outbox = outbox
        self._client = client
        self._utc = utc
        self._clock = clock
        self._on_command = on_command
        self._journal = outbox.own_journal(int.from_bytes(entropy(4), "big"))
        self._said = 0
        self.connected = False
        self.rejected: dict[str, int] = {}

    # From the station.

    def keep(self, event: Record | Presence | Provisional) -> None:
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
            self._own(HISTORY_LANE, "presence", data, now)
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
            self._publish(Topic(self._gateway, "time", request.tag), f"time-{self._said}", data)

    # To the broker.

    def publish_due(self) -> None:
        if not self.connected:
            return
        while items := self._outbox.take_due(self._clock(), WINDOW):
            for item in items:
                subject = str(item.data.get("tag", item.source))
                topic = Topic(self._gateway, item.channel, subject)
                ident = f"{item.source}-{item.journal:08x}-{item.sequence}"
                data = {**item.data, "source": item.source, "journal": item.journal, "sequence": item.sequence}
                self._publish(topic, ident, data)

    def next_deadline(self) -> float | None:
        """When something in the outbox is due again; None while there is no broker."""
        return self._outbox.next_due_s() if self.connected else None

    def say_goodbye(self) -> None:
        """A clean end: the retained state says `offline`, so that nobody takes it for a loss."""
        self._publish(Topic(self._gateway, "state"), f"state-{self._said}", {"state": "offline"}, retain=True)

    def _publish(self, topic: Topic, ident: str, data: Mapping[str, Any], *, retain: bool = False) -> None:
        self._said += 1
        message = Message(topic, ident, self._utc(), dict(data))
        self._client.publish(str(topic), contract.encode(message, self._key), retain=retain)

    # From the broker.

    def mqtt_connected(self) -> None:
        self.connected = True
        self._publish(Topic(self._gateway, "state"), f"state-{self._said}", {"state": "online"}, retain=True)
        self._outbox.due_again()
        self.publish_due()

    def mqtt_disconnected(self, _reason: str) -> None:
        self.connected = False

    def mqtt_published(self, token: int) -> None:
        """A PUBACK says that the broker has it, not that the centre has: nothing leaves the outbox for it."""

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        try:
            message = contract.decode(topic, payload, self._key)
            if message.topic.gateway != self._gateway:
                raise RemoteProtocolError("topic", topic)
            if message.topic.channel == "receipt":
                self._receipt(message)
            elif message.topic.channel == "command":
                self._on_command(message.topic.subject, contract.octets(message.data, "command"))
            else:
                raise RemoteProtocolError("topic", topic)
        except RemoteProtocolError as error:
            self.rejected[error.reason] = self.rejected.get(error.reason, 0) + 1

    def _receipt(self, message: Message) -> None:
        data = message.data
        journal, base = contract.number(data, "journal"), contract.number(data, "base")
        self._outbox.receipted(str(data.get("source")), journal, base, contract.number(data, "bitmap"))
        if "command" in data:
            self._on_command(str(data["source"]), contract.octets(data, "command"))


def subscriptions(gateway: str) -> list[str]:
    """The topic filters of a gateway: what is addressed to it, and nothing else."""
    return [f"{contract.ROOT}/{gateway}/receipt", f"{contract.ROOT}/{gateway}/command/+"]


def utc_now() -> datetime:
    """The wall clock of this machine."""
    return datetime.now(UTC)
