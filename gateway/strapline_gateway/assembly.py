"""A gateway's parts, put together from its configuration. Nothing runs yet."""

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from strapline_gateway.config import Config
from strapline_gateway.gateway import Gateway
from strapline_gateway.homeassistant import Discovery
from strapline_gateway.outbox import Limits, Outbox
from strapline_gateway.presence import PresenceLimits
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.station import Station
from strapline_gateway.tag_keys import TagKeys
from strapline_gateway.tap import Tap, TappedClient
from strapline_gateway.timeservice import is_synchronised
from strapline_gateway.transports import open_links
from strapline_protocol.contract import utc_text
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.link_key import LinkKey, read_link_keys
from strapline_protocol.mqtt import MqttClient, PahoClient
from strapline_protocol.paho_link import start_pause_s
from strapline_protocol.patient_client import PatientClient

_LOG = logging.getLogger(__name__)

_MIB = 1 << 20
_DISCOVERY = "homeassistant"


class Assembly:
    """The parts of one gateway; `stack` closes the outbox. UserError for what the user can mend. Make it on the loop that it runs on."""

    def __init__(self, config: Config, stack: ExitStack, on_other_key: Callable[[bytes], None]) -> None:
        self._config = config
        self._on_other_key = on_other_key
        self._url = config.broker_url()
        self.key = self.read_key()
        self.tag_keys = TagKeys(config.tags_file, config.gateway.state)
        limits = Limits(config.outbox.limit_mib * _MIB, config.outbox.reserve_mib * _MIB)
        self.outbox = Outbox(config.gateway.state / "outbox.sqlite", limits=limits)
        stack.callback(self.outbox.close)
        self.station = self._station()
        self.tap = Tap(lambda: utc_now().timestamp(), asyncio.get_running_loop().time)
        self.tap.tag_of = self.station.tag_of
        self.gateway = Gateway(self.station, None)
        options = {"ble": {"deaf_after_s": config.radio.deaf_after_s}}
        gateway = self.gateway
        self.links = open_links(
            config.gateway.links, self.station, gateway.drain_soon, gateway.tell, options=options, tap=self.tap
        )
        gateway.add_links(self.links)
        self.client = PatientClient(self._new_client, first_pause_s=_first_pause_s())
        self.relay = self._relay()
        gateway.attach(self.relay)
        self.discovery = self._discovery()

    def read_key(self) -> LinkKey:
        """The key file as it is now."""
        seals, *others = read_link_keys(self._config.keys.centre)
        return LinkKey(seals, others, self._on_other_key)

    def use_key(self, key: LinkKey) -> None:
        """Seal with this key from now on; the broker gets a last will under it with the next connection."""
        self.key = key
        self.relay.use_key(key)

    def _station(self) -> Station:
        config = self._config
        station = Station(
            int(config.gateway.id, 16),
            (),
            os.urandom,
            home=config.gateway.profile != "ingress",
            shared=config.gateway.profile == "facility",
            now=asyncio.get_running_loop().time(),
            limits=_presence(config),
            utc_s=_trusted_utc_s,
        )
        for tag in self.tag_keys.enrolled:
            self.enrol(station, tag)
        return station

    def enrol(self, station: Station, tag: str) -> None:
        """A tag as its keys on the disk say."""
        now = asyncio.get_running_loop().time()
        station.enrol(*_with_generation(self.tag_keys.current(tag), now))
        for one in self.tag_keys.expected(tag):
            station.expect_keys(one.keys, one.generation, now)

    def _new_client(self) -> MqttClient:
        ident, access = self._config.gateway.id, self._config.broker
        will = state_will(ident, self.key, utc_now(), self.outbox.start)
        limit_s = access.connect_timeout_s
        client = PahoClient(self._url, f"strapline-{ident}", subscriptions(ident), will, connect_timeout_s=limit_s)
        return TappedClient(client, self.tap)

    def _relay(self) -> Relay:
        return Relay(
            self._config.gateway.id,
            self.key,
            self.outbox,
            self.client,
            utc=utc_now,
            clock=asyncio.get_running_loop().time,
            on_command=self.gateway.command,
            on_keys=self._take_keys,
            on_schedule=self.gateway.set_schedule,
            entropy=os.urandom,
            tags=self.tag_keys.enrolled.values(),
            clock_synchronised=is_synchronised,
        )

    def _discovery(self) -> Discovery | None:
        """For Home Assistant, where it is wanted; or was at an earlier start, to take back what stands at the broker since."""
        wanted, told = self._config.homeassistant.discovery, self.outbox.notes().get(_DISCOVERY, 0)
        if not wanted and not told:
            return None
        self.outbox.note(_DISCOVERY, int(wanted))
        ident, prefix = self._config.gateway.id, self._config.homeassistant.prefix
        discovery = Discovery(self.client, ident, self.tag_keys.enrolled, enabled=wanted, prefix=prefix)
        self.gateway.on_event = lambda event: discovery.heard(event, utc_text(utc_now()))
        self.client.on_connected = discovery.start
        return discovery

    def _take_keys(self, keys: GatewayKeys, generation: int) -> bool:
        """The centre hands out a tag's next keys: confirmed once they are on the disk, so that a restart does not lose the tag."""
        if keys.tag not in self.tag_keys.enrolled or not self.gateway.expect_keys(keys, generation):
            return False
        try:
            self.tag_keys.keep(keys, generation)
        except OSError as error:
            _LOG.error("the next keys of tag %s cannot be kept: %s", keys.tag, error.strerror)
            return False
        return True


def _first_pause_s() -> float:
    """R42: where systemd has started us with the machine, others may have started in the same second: a street's power is back."""
    return start_pause_s(time.monotonic(), random.random()) if "INVOCATION_ID" in os.environ else 0.0


def _with_generation(current: tuple[GatewayKeys, int], now: float) -> tuple[GatewayKeys, float, int]:
    return current[0], now, current[1]


def _presence(config: Config) -> PresenceLimits:
    rules = config.presence
    limits = PresenceLimits() if rules.range_class == "any" else PresenceLimits.of_class(rules.range_class)
    if rules.reach_dbm is not None:
        limits = replace(limits, reach_dbm=rules.reach_dbm)
    return replace(
        limits,
        leave_after_s=rules.leave_after_s,
        curfew_leave_after_s=rules.curfew_leave_after_s,
        tell_changes=config.gateway.profile == "facility",
    )


def _trusted_utc_s() -> float | None:
    """The wall clock, for schedules: not where the system says that nothing keeps it."""
    return None if is_synchronised() is False else utc_now().timestamp()
