"""Receivers under attack further up: centre, relay and the tag's commands, by a stranger at the broker or a gateway gone bad."""

import json
from datetime import UTC, datetime
from random import Random

from firmware.tag_pair import Memory as Flash
from fuzz.scene import FOREIGN, Scene, sent_up
from hand_made_tag import OTHER_TAG, TAG
from station_home import Home
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Record
from strapline_protocol import contract
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_tag.commands import Commands
from strapline_tag.config import Config
from strapline_tag.keyring import Keyring
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive

GATEWAY, OTHER_GATEWAY = "6a7e0001", "6a7e0002"
NOW = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def commands_of(secret: bytes) -> Commands:
    """A tag's, with nothing in its flash yet."""
    memory = Flash()
    return Commands(Keyring(secret, memory, HostCipher), memory, Config.document_limit)


class FarScene(Scene):
    """A centre with two tags and two gateways."""

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.keys = {GATEWAY: draw.randbytes(32), OTHER_GATEWAY: draw.randbytes(32)}
        self.ledger = Ledger()
        persons = [Person(tag.centre_keys) for tag in (self.tag, self.other)]
        self.centre = Centre(persons, self.keys, self.ledger, utc=lambda: NOW, epoch=EPOCH, entropy=draw.randbytes)
        self.said = 0

    def close(self) -> None:
        self.ledger.close()

    def message(
        self, channel: str, data: dict, *, subject: str = TAG, gateway: str = GATEWAY, key: bytes = b""
    ) -> bytes:
        """Topic and payload on two lines, sealed as this gateway seals it."""
        self.said += 1
        topic = Topic(gateway, channel, subject)
        return f"{topic}\n".encode() + contract.encode(
            Message(topic, str(self.said), NOW, data), key or self.keys[gateway]
        )

    def answers(self) -> list[bytes]:
        """What the centre has to say."""
        out = []
        while (message := self.centre.next_message()) is not None:
            out.append(message.topic.encode() + b"\n" + message.payload)
        return out

    def commands_at_tag(self) -> Commands:
        """What opens commands in a tag that has just been made."""
        memory = Flash()
        return Commands(Keyring(self.secret, memory, HostCipher), memory, Config.document_limit)

    def gateway_holds(self) -> list[HostCipher]:
        """Every key that a gateway has of the tag, and one that it has made up."""
        keys = [derive(self.secret, purpose) for purpose in ("broadcast", "link", "header")]
        return [HostCipher(key) for key in [*keys, self.draw.randbytes(16)]]


def split(data: bytes) -> tuple[str, bytes]:
    topic, _, payload = data.partition(b"\n")
    return topic.decode("utf-8", "replace"), payload


class Records(FarScene):
    """Sealed records at the centre, brought by a gateway that holds every key but the end-to-end one."""

    name = "records at the centre"
    attacker = "gateway"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        ours = [self.tag.event(sequence=10_000 + at) for at in range(FOREIGN)]
        body = frames.pack_event((frames.EVENT_STRAP_CLOSED, 0, 1, 7, 0, 0, 0))
        envelopes = [(frames.EVENT, 0, self.tag.journal, at + 1) for at in range(FOREIGN)]
        home = Home(self.tag)
        home.open(self.tag)
        self.foreign = {
            "other tag": [self.other.event() for _ in range(FOREIGN)],
            "other key": [
                seal.seal_envelope(envelope, body, cipher, direction)
                for cipher in self.gateway_holds()
                for envelope in envelopes
                for direction in (seal.UP, seal.DOWN)
            ],
            "other direction": [self.centre.issue_arm(TAG, 1) for _ in range(FOREIGN)],
            "other kind": [self.tag.time_request(draw.randbytes(8)) for _ in range(FOREIGN)]
            + [bytes([frames.TIME_REQUEST]) + record[1:] for record in ours]
            + [record[:1] + bytes([record[1] ^ 1]) + record[2:] for record in ours],
            "other number": [record[:2] + self.draw.randbytes(8) + record[10:] for record in ours],
            "session": sent_up(self.tag),
        }

    def genuine(self) -> bytes:
        return self.draw.choice((self.tag.event, self.tag.fix))()

    def offer(self, data: bytes) -> bool:
        text = {"record": contract.text_of(data), "heard": contract.utc_text(NOW)}
        entry = self.centre.receive(*split(self.message(self.draw.choice(("event", "position")), text)))
        self.answers()
        return entry is not None


class CommandsAtTag(FarScene):
    """Sealed commands at the tag, from a gateway that holds every key but the end-to-end one."""

    name = "commands at the tag"
    attacker = "gateway"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.commands = self.commands_at_tag()
        self.tag.journal = 0xFFFFFF00  # higher than an epoch, so that its age does not keep the tag's own record out
        arm = frames.pack_arm((1, EPOCH))
        earlier = Centre(
            [Person(self.tag.centre_keys)], {}, Ledger(), utc=lambda: NOW, epoch=EPOCH - 60, entropy=draw.randbytes
        )
        self.foreign = {
            "other tag": [self.centre.issue_arm(OTHER_TAG, 1) for _ in range(FOREIGN)],
            "other key": [
                seal.seal_envelope((frames.ARM, 0, epoch, 100 + at), arm, made_up, direction)
                for made_up in self.gateway_holds()
                for at in range(FOREIGN)
                for epoch in (EPOCH, EPOCH + 1)
                for direction in (seal.UP, seal.DOWN)
            ],
            "other direction": [self.tag.event() for _ in range(FOREIGN)] + [self.tag.fix() for _ in range(FOREIGN)],
            "earlier epoch": [earlier.issue_arm(TAG, 1) for _ in range(FOREIGN)],
        }
        earlier.ledger.close()
        self.commands.open(self.centre.issue_arm(TAG, 1))  # the tag is in the present epoch

    def genuine(self) -> bytes:
        if self.draw.random() < 0.3:
            return self.centre.issue_arm(TAG, self.draw.getrandbits(32))
        if self.draw.random() < 0.5:
            request = {"request": contract.text_of(self.tag.time_request(self.draw.randbytes(8)))}
            self.centre.receive(*split(self.message("time", request)))
        else:
            record = {"record": contract.text_of(self.tag.event()), "heard": contract.utc_text(NOW)}
            self.centre.receive(*split(self.message("event", record)))
        (answer,) = self.answers()
        return contract.octets(json.loads(split(answer)[1])["data"], "command")

    def offer(self, data: bytes) -> bool:
        try:
            self.commands.open(data)
        except RemoteProtocolError:
            return False
        return True


class MqttScene(FarScene):
    """Whole messages at a broker that a stranger reads and writes.

    A copy may be let in, since a broker may deliver twice, and must bring nothing new; anything else must not be let in.
    """

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.received: set[bytes] = set()

    def give(self, data: bytes) -> tuple[bool, bool]:
        """(whether it was let in, whether it brought anything new)."""
        raise NotImplementedError

    def offer(self, data: bytes) -> bool:
        let_in, news = self.give(data)
        return news or (let_in and data not in self.received)

    def deliver(self, data: bytes) -> bool:
        self.received.add(data)
        return self.give(data) == (True, True)

    def says_the_same(self, forged: bytes, genuine: bytes) -> bool:
        # The seal is over what a message says, whatever order and spaces a JSON writer likes.
        (topic, payload), (wanted, good) = split(forged), split(genuine)
        try:
            return topic == wanted and json.loads(payload) == json.loads(good)
        except (ValueError, RecursionError):
            return False

    def moved(self, messages: list[bytes]) -> dict[str, list[bytes]]:
        """Genuine messages on topics that are not theirs."""

        def swap(old: str, new: str) -> list[bytes]:
            heads = [message.partition(b"\n") for message in messages]
            return [
                head.replace(old.encode(), new.encode()) + b"\n" + rest
                for head, _, rest in heads
                if old.encode() in head
            ]

        channels = [(old, new) for old in contract.CHANNELS for new in contract.CHANNELS if old != new]
        return {
            "other gateway": swap(GATEWAY, OTHER_GATEWAY),
            "other tag": swap(TAG, OTHER_TAG),
            "other channel": [message for old, new in channels for message in swap(f"/{old}", f"/{new}")],
        }


class MqttAtCentre(MqttScene):
    """Messages at the centre."""

    name = "MQTT messages at the centre"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        heard = contract.utc_text(NOW)
        samples = [self.genuine() for _ in range(FOREIGN)]
        strange = {"record": contract.text_of(self.tag.event()), "heard": heard}
        self.foreign = self.moved(samples) | {
            "other key": [
                self.message("event", strange, key=key)
                for key in (self.keys[OTHER_GATEWAY], bytes(32), draw.randbytes(32))
            ],
            "other direction": self.from_centre(),
        }

    def from_centre(self) -> list[bytes]:
        """Receipts as if they were the gateway's words."""
        data = {"source": GATEWAY, "journal": 9, "base": 1, "bitmap": 0}
        receipt = self.message("receipt", data, subject="")
        return [receipt, *self.moved([receipt])["other channel"]]

    def genuine(self) -> bytes:
        self.said += 1
        heard = contract.utc_text(NOW)
        own = {"tag": TAG, "journal": 9, "sequence": self.said, "heard": heard}
        channel = self.draw.choice(("event", "position", "presence", "alarm"))
        more = {
            "event": {"record": contract.text_of(self.tag.event()), "heard": heard, "alarm": False},
            "position": {"record": contract.text_of(self.tag.fix()), "heard": heard, "alarm": False},
            "presence": own | {"present": True, "rssi_dbm": -60},
            "alarm": own | {"newest_alarm": self.draw.getrandbits(8), "state": 97},
        }
        return self.message(channel, more[channel])

    def give(self, data: bytes) -> tuple[bool, bool]:
        rejected, states = self.centre.rejected.total(), dict(self.centre.gateway_states)
        entry = self.centre.receive(*split(data))
        self.answers()
        return self.centre.rejected.total() == rejected, entry is not None or self.centre.gateway_states != states


class Silent:
    """A broker's client that says nothing."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        return 1


class MqttAtRelay(MqttScene):
    """Receipts and commands at the relay: what leaves the outbox, and what the tag takes."""

    name = "MQTT messages at the relay"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.outbox = Outbox(":memory:")
        self.commands = self.commands_at_tag()
        self.reached = False
        self.relay = Relay(
            GATEWAY,
            self.keys[GATEWAY],
            self.outbox,
            Silent(),  # type: ignore[arg-type] - all that the relay asks of a client
            utc=lambda: NOW,
            clock=lambda: 0.0,
            on_command=self.to_tag,
            entropy=bytes,
        )
        samples = [self.genuine() for _ in range(FOREIGN)]
        data = {"source": TAG, "journal": self.tag.journal, "base": 0xFFFFFFFF, "bitmap": 0}
        self.foreign = self.moved(samples) | {
            "other key": [
                self.message("receipt", data, subject="", key=key)
                for key in (self.keys[OTHER_GATEWAY], bytes(32), draw.randbytes(32))
            ],
        }

    def close(self) -> None:
        super().close()
        self.outbox.close()

    def to_tag(self, _tag: str, sealed: bytes) -> None:
        try:
            self.commands.open(sealed)
        except RemoteProtocolError:
            return
        self.reached = True

    def genuine(self) -> bytes:
        if self.draw.random() < 0.3:
            request = {"request": contract.text_of(self.tag.time_request(self.draw.randbytes(8)))}
            self.centre.receive(*split(self.message("time", request)))
        else:
            record = self.tag.event()
            self.relay.keep(Record(TAG, seal.peek_envelope(record), record))
            kept = {"record": contract.text_of(record), "heard": contract.utc_text(NOW)}
            self.centre.receive(*split(self.message("event", kept)))
        (answer,) = self.answers()
        return answer

    def give(self, data: bytes) -> tuple[bool, bool]:
        # A copy of a receipt lets go what has gone already, and the tag refuses the copy of a command.
        rejected, held, self.reached = sum(self.relay.rejected.values()), len(self.outbox), False
        self.relay.mqtt_message(*split(data))
        return sum(self.relay.rejected.values()) == rejected, self.reached or len(self.outbox) < held


FAR = (Records, CommandsAtTag, MqttAtCentre, MqttAtRelay)
