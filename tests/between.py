"""A gateway's relay on one real broker, the centre on another, and somebody dishonest who carries between them."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random

from hand_made_tag import HandMadeTag
from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.service import CentreService
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will
from strapline_gateway.relay import subscriptions as gateway_subscriptions
from strapline_gateway.station import Record
from strapline_protocol.mqtt import BrokerError, MessageListener, PahoClient
from strapline_wire import frames, seal

GATEWAY, KEY = "6a7e0001", bytes(range(32))
OTHER_GATEWAY, OTHER_KEY = "6a7e0002", bytes(range(32, 64))
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
LIMIT_S = 30.0
ALL = "strapline/#"


async def until(condition):
    """Wait until something that a real broker brings about is there."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - of several parties, none of which tells
            await asyncio.sleep(0.005)


async def connected(client, listener, tries=6):
    """Connect as a service does: a cluster that has just come together may keep its first clients waiting."""
    for left in reversed(range(tries)):
        try:
            await client.connect(listener)
        except BrokerError:
            if not left:
                raise
        else:
            return


class Carrier:
    """Carries between two brokers what `meddle(up, topic, payload)` makes of each message; both have a PUBACK from their broker by then."""

    def __init__(self, near, far):
        self._near = PahoClient(near.url, "carrier", [ALL])
        self._far = PahoClient(far.url, "carrier", [ALL])
        self.meddle = honest
        self.seen = []
        """(up, topic, payload) of all that was given to carry."""
        self._own = {True: set(), False: set()}

    async def connect(self):
        await self._near.connect(MessageListener(lambda topic, payload: self._carry(True, topic, payload)))
        await self._far.connect(MessageListener(lambda topic, payload: self._carry(False, topic, payload)))

    def _carry(self, up, topic, payload):
        if is_from_gateway(topic) == up:  # and not our own, on its way
            self.seen.append((up, topic, payload))
            for told in self.meddle(up, topic, payload):
                self.send(up, *told)

    def send(self, up, topic, payload):
        (self._far if up else self._near).publish(topic, payload, retain=up and topic.endswith("/state"))

    async def close(self):
        await self._near.close()
        await self._far.close()


def at_once():
    """No jitter: of two clients nobody makes a stampede."""
    return 0.0


def is_from_gateway(topic):
    return topic.split("/")[3] in ("state", "event", "position", "presence", "alarm", "notice", "time", "keyed")


def honest(_up, topic, payload):
    return [(topic, payload)]


class Ends:
    """The two honest ends, and a clock for resending that a test moves."""

    def __init__(self, near, far, folder):
        self.tag = HandMadeTag()
        self.now = 0.0
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.commands = []
        will = state_will(GATEWAY, KEY, self.utc(), self.outbox.start)
        self._client = PahoClient(near.url, GATEWAY, gateway_subscriptions(GATEWAY), will, jitter=at_once)
        self.relay = Relay(
            GATEWAY,
            KEY,
            self.outbox,
            self._client,
            utc=self.utc,
            clock=lambda: self.now,
            on_command=lambda tag, sealed: self.commands.append((tag, sealed)),
            entropy=Random(7).randbytes,
        )
        self.ledger = Ledger()
        keys = {GATEWAY: KEY, OTHER_GATEWAY: OTHER_KEY}
        self.centre = Centre([Person(self.tag.centre_keys)], keys, self.ledger, utc=self.utc, epoch=1)
        self._centre_client = PahoClient(far.url, "centre", centre_subscriptions(), jitter=at_once)

    def utc(self):
        """Everybody's wall clock; it goes with the other."""
        return START + timedelta(seconds=self.now)

    async def connect(self):
        await connected(self._centre_client, CentreService(self.centre, self._centre_client))
        await connected(self._client, self.relay)

    def hear(self, count, *, alarm_every=5):
        """The tag's next records, some of them alarms."""
        for index in range(count):
            code = frames.EVENT_STRAP_OPEN if index % alarm_every == 0 else frames.EVENT_BEACON
            self.keep(self.tag.event(code) if index % 2 == 0 else self.tag.fix())

    def keep(self, sealed):
        self.relay.keep(Record(self.tag.ident, seal.peek_envelope(sealed), sealed))
        self.relay.publish_due()

    def pass_time(self, seconds):
        self.now += seconds
        self.relay.publish_due()

    def sequences(self):
        return sorted(entry.sequence for entry in self.ledger.entries() if entry.source == self.tag.ident)

    async def delivered(self, count):
        """Everything is in the ledger once and the outbox is empty, however often it must be sent again."""
        async with asyncio.timeout(6 * LIMIT_S):
            # A broker on a busy machine must not drown in what is sent again.
            while len(self.outbox) or len(self.sequences()) < count:
                self.pass_time(15.0)
                await asyncio.sleep(0.1)
        assert self.sequences() == list(range(1, count + 1))

    async def close(self):
        self.relay.say_goodbye()
        await self._client.close()
        await self._centre_client.close()
        self.outbox.close()
        self.ledger.close()


@asynccontextmanager
async def house(near, far, folder):
    """(ends, carrier), connected."""
    ends, carrier = Ends(near, far, folder), Carrier(near, far)
    await carrier.connect()
    try:
        await ends.connect()
        yield ends, carrier
    finally:
        await ends.close()
        await carrier.close()
