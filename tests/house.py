"""A house in which every use of a key is noted: the real tag, stations, relays and centre, bytes going straight across."""

import hashlib
import itertools
import shutil
import sqlite3
from collections import deque
from contextlib import closing
from datetime import UTC, datetime, timedelta

from flash import Flash, PowerGoneError
from hand_made_tag import SECRET, TAG
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Abandon, Connect, HangUp, Station, TimeRequest, Transmit
from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_tag import outputs
from strapline_tag.config import Config
from strapline_tag.tag import Tag

HOME, NEIGHBOUR, INGRESS = "6a7e0001", "6a7e0002", "6a7e00ce"
START = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
WORN_OHM = 1000


class Uses:
    """What each key was used for. Whatever makes its ciphers here is seen."""

    def __init__(self):
        self.sealed = {}
        """(key, nonce): the (plaintext, associated data) that were sealed under it. One is no repetition, however often."""
        self.blocks = {}
        """Key: the blocks that went through it as a block cipher."""

    def repeated(self):
        return [use for use, texts in self.sealed.items() if len(texts) > 1]

    def keys(self):
        return {key for key, _ in self.sealed}

    def cipher(self, key):
        return _NotingCipher(key, self)


class _NotingCipher(HostCipher):
    def __init__(self, key, uses):
        super().__init__(key)
        plain_seal, plain_block = self.seal, self.block

        def block(data):
            uses.blocks.setdefault(key, set()).add(bytes(data))
            return plain_block(data)

        def seal(nonce, plaintext, associated):
            uses.sealed.setdefault((key, bytes(nonce)), set()).add((bytes(plaintext), bytes(associated)))
            return plain_seal(nonce, plaintext, associated)

        self.block, self.seal = block, seal


def note_all(monkeypatch):
    """Every cipher that gateway and centre make from now on is seen; the tag is given its own."""
    uses = Uses()
    makers = ("strapline_gateway.connection", "strapline_gateway.enrolment", "strapline_protocol.commands")
    for module in (*makers, "strapline_protocol.records", "strapline_protocol.rekeying"):
        monkeypatch.setattr(f"{module}.HostCipher", uses.cipher)
    return uses


class Draw:
    """Random bytes that are the same again for the same purpose."""

    def __init__(self, purpose):
        self._purpose = purpose
        self._count = itertools.count()

    def __call__(self, size):
        return hashlib.sha256(f"{self._purpose}/{next(self._count)}".encode()).digest()[:size]


class Memory:
    """What a tag keeps over reboots. Power goes at the write with the number `cut_at`, before it or just after it."""

    def __init__(self, held=None):
        self.held = dict(held or {})
        self.writes = 0
        self.cut_at = None
        self.cut_after = False

    def lose_power(self):
        """What was put is there: flash keeps it."""

    def get(self, name, default):
        return self.held.get(name, default)

    def put(self, name, value):
        number = self.writes
        self.writes += 1
        if number == self.cut_at and not self.cut_after:
            raise PowerGoneError
        self.held[name] = value
        if number == self.cut_at:
            raise PowerGoneError

    def read(self, name):
        return self.held.get(name, b"")

    def write(self, name, value):
        self.put(name, bytes(value))


class Gateway:
    """Station, relay and outbox; `restart` loses everything but the outbox's file."""

    def __init__(self, house, ident, path):
        self._house, self.ident, self._path = house, ident, path
        self._tokens = itertools.count(1)
        self.outbox = None
        self.restart()

    def restart(self, entropy=None):
        house = self._house
        house.hang_up_all(self)
        self.close()
        entropy = entropy or Draw(f"{house.folder.name}/{self.ident}/{house.now_ms}")
        self.outbox = Outbox(self._path)
        self.outbox._db.execute(
            "PRAGMA synchronous=OFF"
        )  # no power cut here reaches a disk, and syncing takes most of the time
        keys = gateway_keys(TAG, SECRET)
        self.station = Station(int(self.ident, 16), [keys], entropy, home=self.ident == HOME, now=house.now_s)
        key, utc = house.gateway_keys[self.ident], house.utc
        self.relay = Relay(
            self.ident, key, self.outbox, self, utc=utc, clock=lambda: house.now_s, on_command=self._command,
            entropy=entropy, on_keys=lambda *keys: self.station.expect_keys(*keys, house.now_s),
        )  # fmt: skip
        self.station.resume(self.relay.slots())
        self.relay.mqtt_connected()

    def close(self):
        if self.outbox is not None:
            self.outbox.close()

    def back_up(self):
        """A copy of the outbox as it stands; `restore` goes on from it."""
        self._house.hang_up_all(self)
        self.outbox.close()
        shutil.copy(self._path, f"{self._path}.backup")
        self.restart()

    def restore(self):
        self._house.hang_up_all(self)
        self.outbox.close()
        shutil.copy(f"{self._path}.backup", self._path)
        self.restart()

    # As the relay's MQTT client.

    def publish(self, topic, payload, *, retain=False, expiry_s=None):
        self._house.soon(self._house.to_centre, topic, payload)
        token = next(self._tokens)
        self._house.soon(lambda: self.relay.mqtt_published(token))
        return token

    def _command(self, tag, sealed):
        self.station.send_command(tag, sealed, self._house.now_s)
        self.drain()

    def drain(self):
        house = self._house
        while (event := self.station.next_event()) is not None:
            if isinstance(event, Connect):
                house.soon(house.call, self)
            elif isinstance(event, Transmit):
                house.soon(house.to_tag, self, event.link, event.data)
            elif isinstance(event, HangUp):
                house.soon(house.hang_up, self, event.link)
            elif isinstance(event, TimeRequest):
                self.relay.ask_time(event)
            elif not isinstance(event, Abandon):  # these calls are through before anybody could end them
                self.relay.keep(event)
        self.relay.keep_slots(self.station.take_slots())


class House:
    """One tag, its gateways and its centre, on a clock that the test moves; the tag is off until it gets `power`.

    `entropy(life)` gives the tag's random source in each life; `memory` and `flash` (the journal's) outlive it.
    """

    def __init__(
        self, uses, folder, *, memory=None, flash=None, config=None, entropy=None, gateways=(HOME, NEIGHBOUR, INGRESS)
    ):
        self.uses = uses
        self.folder = folder
        self.tag = None
        self.memory = memory or Memory()
        self._config = Config(config)
        self.flash = Flash() if flash is None else flash
        self._entropy = entropy or (lambda life: Draw(f"{folder.name}/tag/{life}"))
        self.now_ms = 0
        self.lives = 0
        self.lines = {}
        """By bearer: (gateway, number of its link)."""
        self.sent = []
        """What the tag said on its lines: bytes."""
        self.told = []
        """What gateways said to it."""
        self._soon = deque()
        self.gateway_keys = {ident: Draw(f"key/{ident}")(32) for ident in gateways}
        self.ledger = None
        self._starts = itertools.count()
        self.start_centre(0)
        self.gateways = {}
        for ident in gateways:
            self.gateways[ident] = Gateway(self, ident, f"{folder}/{ident}.sqlite")

    def close(self):
        for gateway in self.gateways.values():
            gateway.close()
        self.ledger.close()

    # The clock.

    @property
    def now_s(self):
        return self.now_ms / 1000

    def utc(self):
        return START + timedelta(milliseconds=self.now_ms)

    def soon(self, call, *arguments):
        self._soon.append((call, arguments))

    def settle(self):
        """All that is said now is heard now."""
        while True:
            while self._soon:
                call, arguments = self._soon.popleft()
                call(*arguments)
            if not self.tag.has_outputs():
                return
            for kind, *fields in self.tag.take_outputs():
                self._carry_out(kind, *fields)

    def run(self, seconds):
        end_ms = self.now_ms + round(seconds * 1000)
        while True:
            self.settle()
            at_ms = self._booted_ms + self.tag.next_deadline()
            for gateway in self.gateways.values():
                deadline = gateway.station.next_deadline()
                if deadline is not None:
                    at_ms = min(at_ms, int(deadline * 1000) + 1)
            if at_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, at_ms)
            for gateway in self.gateways.values():
                gateway.station.handle_timer(self.now_s)
                gateway.drain()
                gateway.relay.publish_due()
            if self.tag.next_deadline() <= self.tag_ms:
                self.tag.handle_timer(self.tag_ms)
        self.now_ms = end_ms

    # The tag.

    @property
    def tag_ms(self):
        return self.now_ms - self._booted_ms

    def power(self):
        """Power again after it was gone: nothing is left but memory and flash."""
        self._soon.clear()
        self.memory.lose_power()
        for gateway in self.gateways.values():
            self.hang_up_all(gateway, tell_tag=False)
        self.lives += 1
        self._booted_ms = self.now_ms
        self.tag = Tag(SECRET, self.memory, self._entropy(self.lives), self.uses.cipher, self.flash, self._config)
        self.tag.feed_strap(0, WORN_OHM)

    def arm(self):
        self.tag.feed_key(self.tag_ms, self.centre.issue_arm(TAG, 7))
        self.settle()

    def strap(self, times):
        """Openings a second apart: an alarm each."""
        for _ in range(times):
            self.tag.feed_strap_edge(self.tag_ms, True)
            self.run(0.5)
            self.tag.feed_strap_edge(self.tag_ms, False)
            self.run(0.5)

    def _carry_out(self, kind, *fields):
        if kind == outputs.ADVERTISE:
            address, frame = fields
            for ident in (HOME, NEIGHBOUR):
                if ident in self.gateways:
                    gateway = self.gateways[ident]
                    gateway.station.receive_advertisement(address.hex(":"), -60, frame, self.now_s)
                    gateway.drain()
        elif kind == outputs.LINK_SEND:
            bearer, data = fields
            self.sent.append(data)
            if bearer in self.lines:
                gateway, number = self.lines[bearer]
                gateway.station.receive_data(number, data, self.now_s)
                gateway.drain()
        elif kind == outputs.LINK_OPEN:
            self._open(outputs.CELLULAR, self.gateways[INGRESS], None)
        elif kind == outputs.LINK_CLOSE and fields[0] in self.lines:
            gateway, number = self.lines[fields[0]]
            self.hang_up(gateway, number)

    # Lines.

    def call(self, gateway):
        """A gateway calls on the tag, which has one line for all of them."""
        if outputs.BLE in self.lines:
            gateway.station.call_failed(TAG, self.now_s)
        else:
            self._open(outputs.BLE, gateway, TAG)

    def _open(self, bearer, gateway, called):
        self.lines[bearer] = gateway, gateway.station.open_link(self.now_s, called)
        self.tag.feed_link_up(self.tag_ms, bearer)

    def to_tag(self, gateway, number, data):
        for bearer, line in list(self.lines.items()):
            if line == (gateway, number):
                self.told.append(data)
                self.tag.feed_link(self.tag_ms, bearer, data)

    def hang_up(self, gateway, number, *, tell_tag=True):
        for bearer, line in list(self.lines.items()):
            if line == (gateway, number):
                del self.lines[bearer]
                gateway.station.close_link(number, self.now_s)
                if tell_tag:
                    self.tag.feed_link_down(self.tag_ms, bearer)

    def hang_up_all(self, gateway, *, tell_tag=True):
        for _, (owner, number) in list(self.lines.items()):
            if owner is gateway:
                self.hang_up(gateway, number, tell_tag=tell_tag)

    # The centre.

    def start_centre(self, clock_s=None, entropy=None):
        """Start it (again) on its ledger; `clock_s` is what its clock says, in seconds since this house began."""
        if self.ledger is not None:
            self.ledger.close()
        self.ledger = Ledger(f"sqlite:///{self.folder}/ledger.sqlite")
        with self.ledger._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        epoch = int(START.timestamp() + (self.now_s if clock_s is None else clock_s))
        entropy = entropy or Draw(f"{self.folder.name}/centre/{next(self._starts)}")
        person = Person(centre_keys(TAG, SECRET))
        self.centre = Centre([person], self.gateway_keys, self.ledger, utc=self.utc, epoch=epoch, entropy=entropy)

    def back_up_ledger(self):
        # As SQLite copies: a part of what is committed stands beside the file.
        with (
            closing(sqlite3.connect(f"{self.folder}/ledger.sqlite")) as here,
            closing(sqlite3.connect(f"{self.folder}/ledger.backup")) as there,
        ):
            here.backup(there)

    def restore_ledger(self):
        """What was told since the backup is gone. The centre must be started on it."""
        self.ledger.close()
        shutil.copy(f"{self.folder}/ledger.backup", f"{self.folder}/ledger.sqlite")

    def rekey(self):
        """The centre begins to give the tag new keys."""
        self.centre.rekey(TAG)
        self._publish()

    def to_centre(self, topic, payload):
        self.centre.receive(topic, payload)
        self._publish()

    def _publish(self):
        while (out := self.centre.next_message()) is not None:
            gateway = self.gateways[contract.parse_topic(out.topic).gateway]
            self.soon(gateway.relay.mqtt_message, out.topic, out.payload)
