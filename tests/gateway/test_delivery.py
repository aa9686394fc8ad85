"""Nothing lost, nothing doubled: the real tag, station, outbox, relay and centre, joined by wires and brokers that do their worst.

One clock, no asyncio. While the chaos lasts, links are cut and corrupted, brokers lose, double and reorder, and gateways and centre start
again. Then it ends, and the ledger must be what the tag has recorded.
"""

import heapq
import itertools
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import NamedTuple
from unittest import mock

import pytest

from firmware.tag_pair import flash_of
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Abandon, Connect, HangUp, Record, Station, TimeRequest, Transmit
from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import ALARMS, EventCode
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_tag import outputs
from strapline_tag import tag as tag_module
from strapline_tag.config import Config
from strapline_tag.journal import Journal
from strapline_tag.tag import Tag
from strapline_wire import frames

TAG, HOME, INGRESS = "7a900001", "6a7e0001", "6a7e00ce"
SECRET = bytes(range(16))
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
BEARER_OF = {HOME: outputs.BLE, INGRESS: outputs.CELLULAR}
WORN_OHM = 1000


class Faults:
    """Shares of messages that suffer, and what may break for a while."""

    def __init__(self, *, loss=0.0, doubling=0.0, jitter_s=0.0, corruption=0.0, breaks=()):
        self.loss = loss
        self.doubling = doubling
        self.jitter_s = jitter_s
        self.corruption = corruption
        self.breaks = breaks


EVERYTHING = ("cut", "reach", "coverage", "home broker", "ingress broker", "centre", "restart home", "restart ingress",
              "restart centre", "replay")  # fmt: skip
ROUGH = Faults(loss=0.1, doubling=0.1, jitter_s=3.0, corruption=0.05, breaks=EVERYTHING)
ORDERLY = Faults(
    breaks=("cut", "reach", "coverage", "home broker", "ingress broker", "restart home", "restart ingress")
)


class Memory(dict):
    put = write = dict.__setitem__

    def read(self, name):
        return self.get(name, b"")


class Recorded(NamedTuple):
    """One record as the tag wrote it."""

    kind: int
    flags: int
    body: bytes

    @property
    def fields(self):
        unpack = frames.unpack_event if self.kind == frames.EVENT else frames.unpack_fix
        return unpack(self.body)._asdict()


class WatchedJournal(Journal):
    """Tells of every record that it has taken."""

    def __init__(self, truth, *arguments):
        super().__init__(*arguments)
        self._truth = truth

    def append(self, kind, flags, body):
        assert super().append(kind, flags, body), "the journal is large enough for this test"
        return True

    def _put(self, meta, body, sequence):
        before = self.newest
        put = super()._put(meta, body, sequence)
        if self.newest > before:
            flags = meta & 1 | body[3 if meta >> 2 == frames.EVENT else 1] << 1 & 0xFE
            self._truth[self.newest] = Recorded(meta >> 2, flags, bytes(body))
        return put


class Line:
    """One connection of the tag with one gateway: in order, in portions, and dead at any moment."""

    def __init__(self, world, gateway, called):
        self._world = world
        self.gateway = gateway
        self.bearer = BEARER_OF[gateway.ident]
        self.alive = True
        self._free_ms = {True: 0, False: 0}
        self.number = gateway.station.open_link(world.now_s, called)

    def send(self, data, *, up):
        world, faults = self._world, self._world.faults
        middle = world.dice.randrange(len(data) + 1)
        for portion in (data[:middle], data[middle:]):
            copies = 1
            if portion and world.dice.random() < faults.corruption:
                copies, portion = world.spoil(portion)  # noqa: PLW2901 - what arrives is another one
            for _ in range(copies):
                self._free_ms[up] = max(self._free_ms[up], world.now_ms) + world.dice.randrange(1, 80)
                world.at_ms(self._free_ms[up], self._arrive, portion, up)

    def _arrive(self, portion, up):
        if not self.alive or not portion:
            return
        if up:
            self.gateway.station.receive_data(self.number, portion, self._world.now_s)
            self.gateway.drain()
        else:
            self._world.tag.feed_link(self._world.now_ms, self.bearer, portion)

    def cut(self):
        """The connection is gone, at both ends."""
        if self.alive:
            self.alive = False
            del self._world.lines[self.bearer]
            self.gateway.station.close_link(self.number, self._world.now_s)
            self.gateway.drain()
            self._world.tag.feed_link_down(self._world.now_ms, self.bearer)


class Client:
    """A gateway's MQTT client and the broker behind it: what it has acknowledged may be lost all the same."""

    def __init__(self, world, gateway):
        self._world = world
        self._gateway = gateway
        self._tokens = itertools.count(1)
        self._waiting = []
        self.connected = False

    def publish(self, topic, payload, *, retain=False, expiry_s=None):
        token = next(self._tokens)
        self._waiting.append((token, topic, payload))
        self._flush()
        return token

    def connect(self):
        self.connected = True
        self._gateway.relay.mqtt_connected()
        self._flush()

    def disconnect(self):
        if self.connected:
            self.connected = False
            self._gateway.relay.mqtt_disconnected("chaos")

    def _flush(self):
        while self.connected and self._waiting:
            token, topic, payload = self._waiting.pop(0)
            self._world.carry(self._world.to_centre, topic, payload)
            if self._world.dice.random() >= self._world.faults.loss:
                self._world.after_s(0.05, self._acknowledge, token)

    def _acknowledge(self, token):
        if self.connected and self._gateway.client is self:
            self._gateway.relay.mqtt_published(token)


class GatewayNode:
    """Station, outbox, relay and client of one gateway; `restart` loses everything but the outbox's file."""

    def __init__(self, world, ident, path):
        self._world = world
        self.ident = ident
        self._path = path
        self.restarts = -1
        self.outbox = None
        self.restart()

    def restart(self):
        world = self._world
        self.restarts += 1
        for line in list(world.lines.values()):
            if line.gateway is self:
                line.cut()
        was_connected = self.restarts == 0 or self.client.connected
        if self.outbox is not None and self._path != ":memory:":
            self.outbox.close()
            self.outbox = None
        if self.outbox is None:
            self.outbox = Outbox(self._path)
        keys = gateway_keys(TAG, SECRET)
        entropy = Random(f"{world.seed}/{self.ident}/{self.restarts}").randbytes
        self.station = Station(int(self.ident, 16), [keys], entropy, home=self.ident == HOME, now=world.now_s)
        self.client = Client(world, self)
        self.relay = Relay(
            self.ident,
            world.gateway_keys[self.ident],
            self.outbox,
            self.client,
            utc=world.utc,
            clock=lambda: world.now_s,
            on_command=self._command,
            entropy=entropy,
        )
        self.station.resume(self.relay.slots())
        if was_connected:
            self.client.connect()

    def _command(self, tag, sealed):
        self.station.send_command(tag, sealed, self._world.now_s)
        self.drain()

    def drain(self):
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Connect):
                self._world.after_s(self._world.dice.uniform(0.1, 1.5), self._called, self.station, event.tag)
            elif isinstance(event, Transmit | HangUp):
                self._to_line(event)
            elif isinstance(event, TimeRequest):
                self.relay.ask_time(event)
            elif not isinstance(event, Abandon):  # these calls are through before anybody could end them
                self.relay.keep(event)
        self.relay.keep_slots(self.station.take_slots())

    def _called(self, station, tag):
        world = self._world
        if station is not self.station:
            return
        if not world.in_reach or outputs.BLE in world.lines:
            station.call_failed(tag, world.now_s)
            return
        world.lines[outputs.BLE] = Line(world, self, tag)
        world.tag.feed_link_up(world.now_ms, outputs.BLE)

    def _to_line(self, event):
        for line in list(self._world.lines.values()):
            if line.gateway is self and line.number == event.link:
                if isinstance(event, Transmit):
                    line.send(event.data, up=False)
                else:
                    self._world.after_s(0.01, line.cut)

    def next_deadline_ms(self):
        deadlines = [d for d in (self.station.next_deadline(), self.relay.next_deadline()) if d is not None]
        if not deadlines:
            return math.inf
        at_ms = math.ceil(min(deadlines) * 1000)
        return at_ms if at_ms / 1000 >= min(deadlines) else at_ms + 1  # what floats round off must not come too early

    def handle_timer(self, now_s):
        self.station.handle_timer(now_s)
        self.relay.publish_due()
        self.drain()


class World:
    def __init__(self, seed, faults, folder=None, **config):
        self.seed = seed
        self.dice = Random(f"{seed}/chaos")
        self.faults = faults
        self.now_ms = 0
        self._heap = []
        self._order = itertools.count()
        self.in_reach = self.coverage = self.centre_up = True
        self.lines = {}
        self._advertised = []
        self.truth = {}
        self.arrived = []
        self._missed_receipts = []
        self.gateway_keys = {ident: Random(f"{seed}/{ident}").randbytes(32) for ident in (HOME, INGRESS)}
        self._gnss_on = False
        with mock.patch.object(tag_module, "Journal", partial(WatchedJournal, self.truth)):
            settings = Config({"away_fix_s": 600, **config})
            self.flash = flash_of(settings)
            self.tag = Tag(SECRET, Memory(), Random(f"{seed}/tag").randbytes, HostCipher, self.flash, settings)
        self.ledger = Ledger()
        self._epoch = int(START.timestamp())
        self.restart_centre()
        self.gateways = {
            ident: GatewayNode(self, ident, folder / f"{ident}.sqlite" if folder else ":memory:")
            for ident in (HOME, INGRESS)
        }

    # The clock.

    @property
    def now_s(self):
        return self.now_ms / 1000

    def utc(self):
        return START + timedelta(milliseconds=self.now_ms)

    def at_ms(self, when_ms, call, *arguments):
        heapq.heappush(self._heap, (when_ms, next(self._order), call, arguments))

    def after_s(self, delay_s, call, *arguments):
        self.at_ms(self.now_ms + max(1, round(delay_s * 1000)), call, *arguments)

    def run(self, seconds, until=lambda: False):
        end_ms = self.now_ms + round(seconds * 1000)
        while not until():
            self._carry_out_outputs()
            soonest = self.tag.next_deadline()
            for gateway in self.gateways.values():
                soonest = min(soonest, gateway.next_deadline_ms())
            if self._heap:
                soonest = min(soonest, self._heap[0][0])
            if soonest > end_ms:
                self.now_ms = end_ms
                return
            self.now_ms = max(self.now_ms, soonest)
            while self._heap and self._heap[0][0] <= self.now_ms:
                _, _, call, arguments = heapq.heappop(self._heap)
                call(*arguments)
            for gateway in self.gateways.values():
                if gateway.next_deadline_ms() <= self.now_ms:
                    gateway.handle_timer(self.now_s)
            if self.tag.next_deadline() <= self.now_ms:
                self.tag.handle_timer(self.now_ms)

    # The tag's side.

    def _carry_out_outputs(self):
        while self.tag.has_outputs():
            for kind, *fields in self.tag.take_outputs():
                self._carry_out(kind, *fields)

    def _carry_out(self, kind, *fields):
        if kind == outputs.ADVERTISE:
            self._advertised.append(fields)
            self._hear(*fields)
        elif kind == outputs.LINK_SEND:
            bearer, data = fields
            if bearer in self.lines:
                self.lines[bearer].send(data, up=True)
        elif kind == outputs.LINK_OPEN:
            self.after_s(2.0, self._dialled)
        elif kind == outputs.LINK_CLOSE:
            if fields[0] in self.lines:
                self.after_s(0.02, self.lines[fields[0]].cut)
        else:
            self._gnss_on = bool(fields[0])
            self._locate()

    def _hear(self, address, frame):
        if self.in_reach and self.dice.random() >= self.faults.loss:
            home = self.gateways[HOME]
            home.station.receive_advertisement(address.hex(":"), -60, frame, self.now_s)
            home.drain()

    def _dialled(self):
        if self.coverage and outputs.CELLULAR not in self.lines:
            self.lines[outputs.CELLULAR] = Line(self, self.gateways[INGRESS], None)
            self.tag.feed_link_up(self.now_ms, outputs.CELLULAR)
        else:
            self.tag.feed_link_down(self.now_ms, outputs.CELLULAR)

    def _locate(self):
        if self._gnss_on:
            self.tag.feed_gnss(self.now_ms, position(self.now_ms // 1000))
            self.after_s(1.0, self._locate)

    def spoil(self, portion):
        """(copies, bytes): lost, doubled, or with a byte changed."""
        at = self.dice.randrange(len(portion))
        flipped = portion[:at] + bytes((portion[at] ^ self.dice.randrange(1, 256),)) + portion[at + 1 :]
        return self.dice.choice([(0, portion), (2, portion), (1, flipped)])

    # The broker and the centre.

    def carry(self, receive, topic, payload):
        """A message on its way: lost, doubled, overtaken."""
        if self.dice.random() < self.faults.loss:
            return
        for _ in range(2 if self.dice.random() < self.faults.doubling else 1):
            self.after_s(0.02 + self.dice.random() * self.faults.jitter_s, receive, topic, payload)

    def to_centre(self, topic, payload):
        if not self.centre_up:
            return
        entry = self.centre.receive(topic, payload)
        if entry is not None:
            self.arrived.append(entry)
        while (out := self.centre.next_message()) is not None:
            self.carry(self.to_gateway, out.topic, out.payload)

    def to_gateway(self, topic, payload):
        gateway = self.gateways[contract.parse_topic(topic).gateway]
        if gateway.client.connected:
            gateway.relay.mqtt_message(topic, payload)

    def restart_centre(self):
        self._epoch += 1
        person = Person(centre_keys(TAG, SECRET))
        self.centre = Centre([person], self.gateway_keys, self.ledger, utc=self.utc, epoch=self._epoch)

    # Chaos.

    def arm(self):
        self.tag.feed_strap(self.now_ms, WORN_OHM)
        self.tag.feed_key(self.now_ms, self.centre.issue_arm(TAG, 7))
        assert self.tag.armed

    def strap(self, *, is_open):
        self.tag.feed_strap_edge(self.now_ms, is_open)

    def break_something(self, what):
        home, ingress = self.gateways[HOME], self.gateways[INGRESS]
        match what:
            case "cut":
                for line in list(self.lines.values()):
                    line.cut()
            case "reach":
                self.in_reach = not self.in_reach
                if not self.in_reach and outputs.BLE in self.lines:
                    self.lines[outputs.BLE].cut()
            case "coverage":
                self.coverage = not self.coverage
                if not self.coverage and outputs.CELLULAR in self.lines:
                    self.lines[outputs.CELLULAR].cut()
            case "home broker" | "ingress broker":
                client = (home if what == "home broker" else ingress).client
                client.disconnect() if client.connected else client.connect()
            case "centre":
                self.centre_up = not self.centre_up
            case "restart home":
                home.restart()
            case "restart ingress":
                ingress.restart()
            case "restart centre":
                self.restart_centre()
            case "replay":
                for address, frame in self.dice.choices(self._advertised, k=3):
                    self._hear(address, frame)
            case _:
                raise AssertionError(what)

    def mend_everything(self):
        self.in_reach = self.coverage = self.centre_up = True
        self.faults = Faults()
        for gateway in self.gateways.values():
            if not gateway.client.connected:
                gateway.client.connect()

    @property
    def at_rest(self):
        return not len(self.tag.journal) and not any(len(gateway.outbox) for gateway in self.gateways.values())

    def live_through(self, steps):
        """Chaos, with openings of the strap in the middle of it; then peace, until nothing waits any more."""
        self.run(5)
        self.arm()
        is_open = False
        for _ in range(steps):
            self.run(self.dice.expovariate(1 / 60))
            if self.dice.random() < 0.3:
                is_open = not is_open
                self.strap(is_open=is_open)
            else:
                self.break_something(self.dice.choice(self.faults.breaks))
        self.mend_everything()
        self.run(4 * 3600, until=lambda: self.at_rest)

    def close(self):
        for gateway in self.gateways.values():
            gateway.outbox.close()
        self.ledger.close()


def position(second):
    """What a receiver says of one second: somewhere else each time."""
    clock = f"{second // 3600 % 24:02}{second // 60 % 60:02}{second % 60:02}"
    place = f"48{second // 60 % 60:02}.{second % 60:02}00,N,01131.0000,E"
    told = (f"GPRMC,{clock},A,{place},1.0,84.4,030326,,,A", f"GPGGA,{clock},{place},1,08,0.9,545.4,M,46.9,M,,")
    return b"".join(b"$%s*%02X\r\n" % (line.encode(), checksum(line.encode())) for line in told)


def checksum(line):
    total = 0
    for byte in line:
        total ^= byte
    return total


def check(world):
    """The ledger is what the tag has recorded, and what the gateways have said of themselves."""
    assert world.at_rest, f"{world.tag.journal.newest} recorded, {len(world.tag.journal)} still wait"
    entries = list(world.ledger.entries())
    of_tag = {entry.sequence: entry for entry in entries if entry.source == TAG}
    assert {s: e.fields for s, e in of_tag.items()} == {s: e.fields for s, e in world.truth.items()}
    assert sum(entry.source == TAG for entry in entries) == len(world.truth)
    assert len(world.arrived) == len(entries)
    assert world.ledger.conflicts == 0
    for ident in (HOME, INGRESS):
        own = sorted(entry.sequence for entry in entries if entry.source == ident)
        assert own == list(range(1, len(own) + 1))
    check_alerts(world)


def check_alerts(world):
    codes = [entry.fields["code"] for entry in world.truth.values() if entry.kind == frames.EVENT]
    alarms = Counter(EventCode(code).name.lower() for code in codes if code in ALARMS)
    alerts = Counter[str]()
    for alert in world.centre.alerts.alerts:
        if alert.subject == TAG:
            alerts[alert.code] += alert.times
    # A gateway that has started again tells once more of an alarm that waits for its receipt; after long that may be a new one.
    assert alerts.pop("alarm", 0) <= sum(gateway.restarts for gateway in world.gateways.values())
    for found in ("replay_heard", "delayed_replay_heard"):  # this world has somebody who records and sends again
        alerts.pop(found, None)
    assert alerts == alarms


@pytest.mark.parametrize("seed", range(32))
def test_everything_that_the_tag_recorded_is_in_the_ledger_once(seed):
    world = World(seed, ROUGH)
    world.live_through(80)
    assert len(world.truth) > 10
    check(world)
    world.close()


@pytest.mark.parametrize("seed", range(2))
def test_the_same_with_outboxes_on_disk(seed, tmp_path):
    world = World(f"disk {seed}", ROUGH, tmp_path)
    world.live_through(40)
    check(world)
    world.close()


@pytest.mark.parametrize("seed", range(10))
def test_where_nothing_is_lost_on_the_way_each_lane_arrives_in_order(seed):
    """Links are cut, gateways start again and brokers come and go; but what is under way arrives in its order."""
    world = World(f"orderly {seed}", ORDERLY)
    world.live_through(80)
    check(world)
    lanes = {}
    for entry in world.arrived:
        if entry.source == TAG:
            lanes.setdefault(world.truth[entry.sequence].flags & 1, []).append(entry.sequence)
    assert set(lanes) == {0, 1}
    assert all(sequences == sorted(sequences) for sequences in lanes.values())
    world.close()


def test_positions_that_a_full_journal_has_dropped_hold_up_nothing_behind_them():
    world = World("full", Faults(), away_fix_s=30, journal_bytes=4608, journal_block_bytes=512, journal_alarm_reserve=8)
    world.run(5)
    world.arm()
    world.run(60)
    world.in_reach = world.coverage = False
    world.run(3 * 3600)
    world.in_reach = True
    world.run(60)
    world.strap(is_open=True)
    world.run(120, until=lambda: world.at_rest)
    assert world.at_rest
    there = {entry.sequence for entry in world.ledger.entries() if entry.source == TAG}
    lost = {sequence: record for sequence, record in world.truth.items() if sequence not in there}
    assert len(lost) == world.tag.journal.dropped_positions > 100
    assert {record.kind for record in lost.values()} == {frames.FIX}
    check_alerts(world)
    world.close()


def test_what_no_key_opens_leaves_the_outbox_and_holds_up_nothing():
    """A gateway's flipped bit, or a forger with the tag's link: it is refused once, and the genuine records go their way."""
    world = World("forged", Faults())
    world.run(5)
    world.arm()
    home = world.gateways[HOME]
    for number in range(1001, 1040):
        envelope = frames.Envelope((frames.EVENT, number % 2, world.tag.journal.ident, number))
        home.relay.keep(Record(TAG, envelope, frames.pack_envelope(envelope) + bytes(26)))
    world.strap(is_open=True)
    world.run(600, until=lambda: world.at_rest)
    assert world.at_rest
    assert home.relay.refused == 39
    of_tag = {e.sequence for e in world.ledger.entries() if e.source == TAG}
    assert of_tag == set(world.truth)
    assert len(list(world.ledger.refused())) == 39
    assert [a.code for a in world.centre.alerts.alerts if a.subject == TAG].count("refused") == 1
    world.close()


def test_an_alarm_on_a_live_chain_is_there_in_two_seconds():
    world = World("live", Faults())
    world.run(60)
    world.arm()
    delays = []
    for _ in range(30):
        world.run(100 + world.dice.random() * 10)
        before = len(world.arrived)
        opened_ms = world.now_ms
        world.strap(is_open=True)
        world.run(30, until=lambda count=before: any(e.fields.get("code") == 16 for e in world.arrived[count:]))
        delays.append(world.now_ms - opened_ms)
        world.run(20)
        world.strap(is_open=False)
    assert max(delays) <= 2500
    assert sorted(delays)[len(delays) // 2] <= 2000
    world.close()
