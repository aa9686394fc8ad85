"""Home Assistant's MQTT discovery, for a laboratory: each tag a device that is home or not, with its last alarm. Off by default.

It is for a broker of the laboratory's own: what it publishes is in clear, retained, and under no seal. The AsyncAPI document does not
cover it. A device goes by the tag's id; nothing names a person. https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

import json
from collections.abc import Iterable
from typing import Any

from strapline_gateway.station import Presence, Provisional, Record
from strapline_protocol import contract
from strapline_protocol.mqtt import MqttClient
from strapline_protocol.notices import Notice

_ORIGIN = {"name": "Strapline"}
_ON, _OFF = "ON", "OFF"


class Discovery:
    """Feed it what the gateway keeps. It publishes retained messages through `client`, and takes each of them back.

    `enabled=False` takes back what an earlier start may have left, and publishes nothing else. One retained configuration a tag under
    `prefix`, and one retained state.
    """

    def __init__(
        self,
        client: MqttClient,
        gateway: str,
        tags: Iterable[str],
        *,
        enabled: bool = False,
        prefix: str = "homeassistant",
    ) -> None:
        self._client = client
        self._gateway = gateway
        self._prefix = prefix
        self._enabled = enabled
        self._states: dict[str, dict[str, Any]] = {tag: {"home": _OFF, "last_alarm": None} for tag in tags}

    def start(self) -> None:
        """The gateway runs."""
        for tag in self._states:
            if self._enabled:
                self._announce(tag)
            else:
                self._take_back(tag)

    def enrol(self, tag: str) -> None:
        """A tag more."""
        if tag not in self._states:
            self._states[tag] = {"home": _OFF, "last_alarm": None}
            if self._enabled:
                self._announce(tag)

    def withdraw(self, tag: str) -> None:
        """A tag is not ours any more: its device goes."""
        if self._states.pop(tag, None) is not None:
            self._take_back(tag)

    def heard(self, event: Record | Presence | Provisional | Notice, heard_utc: str) -> None:
        """What the gateway has kept; `heard_utc` is as the contract writes an instant."""
        tag = event.tag
        if not self._enabled or tag not in self._states:
            return
        if isinstance(event, Presence):
            self._states[tag]["home"] = _ON if event.present else _OFF
        elif isinstance(event, Provisional) or (isinstance(event, Record) and event.envelope.flags & 1):
            self._states[tag]["last_alarm"] = heard_utc
        else:
            return
        self._say_state(tag)

    def end(self) -> None:
        """The gateway ends cleanly: nothing of it stays. Call it before the client is closed."""
        if self._enabled:
            for tag in self._states:
                self._take_back(tag)

    def _topics(self, tag: str) -> tuple[str, str]:
        node = f"strapline_{self._gateway}_{tag}"
        return f"{self._prefix}/device/{node}/config", f"{self._prefix}/strapline/{self._gateway}/{tag}"

    def _announce(self, tag: str) -> None:
        config, state = self._topics(tag)
        ident = f"strapline_{tag}"
        # Who goes without a word leaves its last will in the gateway's own state: then the device is not available.
        online = f"{contract.ROOT}/{self._gateway}/state"
        body = {
            "device": {"identifiers": [ident], "name": f"Tag {tag}", "manufacturer": "Strapline"},
            "origin": _ORIGIN,
            "availability_topic": online,
            "availability_template": "{{ 'online' if value_json.data.state == 'online' else 'offline' }}",
            "state_topic": state,
            "components": {
                "home": {
                    "platform": "binary_sensor",
                    "device_class": "presence",
                    "unique_id": f"{ident}_home",
                    "value_template": "{{ value_json.home }}",
                },
                "last_alarm": {
                    "platform": "sensor",
                    "device_class": "timestamp",
                    "unique_id": f"{ident}_last_alarm",
                    "name": "Last alarm",
                    "value_template": "{{ value_json.last_alarm }}",
                },
            },
        }
        self._client.publish(config, json.dumps(body).encode(), retain=True)
        self._say_state(tag)

    def _say_state(self, tag: str) -> None:
        self._client.publish(self._topics(tag)[1], json.dumps(self._states[tag]).encode(), retain=True)

    def _take_back(self, tag: str) -> None:
        """MQTT 5, section 3.3.1.3: a retained message without a payload removes the one before."""
        for topic in self._topics(tag):
            self._client.publish(topic, b"", retain=True)
