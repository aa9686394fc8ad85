"""The centre on MQTT: feeds what arrives to the rules, publishes what they answer."""

from collections.abc import Callable

from strapline_centre.centre import Centre
from strapline_centre.ledger import Entry
from strapline_protocol.mqtt import MqttClient


class CentreService:
    """Hand it to `client.connect`; `on_entry` is told of every new ledger entry, after its receipt is on the way."""

    def __init__(self, centre: Centre, client: MqttClient, on_entry: Callable[[Entry], None] | None = None) -> None:
        self._centre = centre
        self._client = client
        self._on_entry = on_entry
        self.connected = False

    def mqtt_connected(self) -> None:
        self.connected = True

    def publish(self) -> None:
        """Publish what the centre has to say."""
        while (out := self._centre.next_message()) is not None:
            self._client.publish(out.topic, out.payload)

    def mqtt_disconnected(self, _reason: str) -> None:
        self.connected = False

    def mqtt_published(self, token: int) -> None:
        """Nothing waits for a PUBACK: a receipt that is lost is given again when the record comes again."""

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        entry = self._centre.receive(topic, payload)
        self.publish()
        if entry is not None and self._on_entry is not None:
            self._on_entry(entry)
