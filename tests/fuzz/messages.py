"""MQTT payloads at the centre, the relay and the contract: raw ones, and ones that a gateway gone bad has sealed with its own key.

Without a genuine seal round the fuzzed content nothing would ever get past the HMAC.
"""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fuzz.target import Reader, Target, one_in
from hand_made_tag import TAG, HandMadeTag
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_centre.schedule import Schedule
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Record, Station
from strapline_protocol import contract
from strapline_protocol.contract import Message, Topic
from strapline_protocol.rekeying import next_generation, wrap
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError

GATEWAY, KEY = "6a7e0001", bytes(range(32))
NOW = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
NAMES = (*contract.CHANNELS, "other")
RESTART_ONE_IN = 64
FIRST = next_generation(HandMadeTag().centre_keys, 1, bytes(16))
GENERATIONS = (FIRST, next_generation(FIRST.centre, 2, bytes(16)))

FIELDS = (
    "specversion id source type subject time data seal tag heard record request command alarm present rssi_dbm newest_alarm state"
    " journal sequence base bitmap first far_bitmap generation keys"
)
VALUES = '"online" "lost" "7a900001" "2026-03-02T20:00:00.000Z" "0001-01-01T00:00:00+23:59" 4294967295 null [[[['
WORDS = [f'"{field}":'.encode() for field in FIELDS.split(" ")] + [value.encode() for value in VALUES.split(" ")]


_OPEN = contextlib.ExitStack()
"""The databases of the present world: the next one closes them."""


def sealed(topic: str, body: dict[str, Any]) -> bytes:
    """A body under the seal that belongs to it, whatever it says."""
    body.pop("seal", None)
    body["seal"] = contract._seal_of(topic, contract.canonical(body), KEY)
    return json.dumps(body).encode()


def parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def message(reader: Reader) -> tuple[str, bytes]:
    """(topic, payload) as an input says: raw, a whole body sealed, or only its data fuzzed and sealed."""
    mode, channel = reader.number() % 3, NAMES[reader.number() % len(NAMES)]
    if mode == 0:
        topic, _, payload = reader.rest().partition(b"\n")
        return topic.decode("utf-8", "replace"), payload
    subject = TAG if channel in contract.ABOUT_A_TAG or channel == "other" else ""
    topic = "/".join([contract.ROOT, GATEWAY, channel, *([subject] if subject else [])])
    raw = reader.rest()
    content = parsed(raw)
    if content is None:
        return topic, raw
    body = content if mode == 1 else {"id": "1", "time": contract.utc_text(NOW), "data": content}
    try:
        return topic, sealed(topic, body) if isinstance(body, dict) else raw
    except RecursionError:
        return topic, raw


def message_seeds() -> list[bytes]:
    """Each channel's message, as data and as a whole body, and a raw one."""
    heard = contract.utc_text(NOW)
    tag = HandMadeTag()
    datas: dict[str, list[dict[str, object]]] = {
        "state": [{"state": "lost", "start": 1}, {"state": "online", "start": 2, "number": 1}, {"state": "offline"}],
        "event": [{"record": contract.text_of(tag.event()), "heard": heard, "alarm": False}],
        "position": [{"record": contract.text_of(tag.fix()), "heard": heard}],
        "presence": [{"tag": TAG, "present": True, "rssi_dbm": -60, "heard": heard, "journal": 1, "sequence": 1}],
        "alarm": [{"tag": TAG, "newest_alarm": 3, "state": 97, "heard": heard, "journal": 1, "sequence": 2}],
        "notice": [
            {"code": "mains_lost", "detail": {}, "heard": heard, "journal": 1, "sequence": 3},
            {"code": "clone_heard", "tag": TAG, "detail": {"off_s": 40}, "heard": heard, "journal": 1, "sequence": 4},
        ],
        "time": [{"request": contract.text_of(tag.time_request(b"8 bytes!"))}],
        "receipt": [
            {"source": TAG, "journal": tag.journal, "base": 2, "bitmap": 1},
            {"source": TAG, "journal": 1, "base": 1, "bitmap": 0, "first": 9, "far_bitmap": 3, "command": "AAAA"},
        ],
        "command": [{"command": contract.text_of(bytes(30))}, {"command": contract.text_of(bytes(600))}],
        "schedule": [{"revision": 1, "curfew": ""}, {"revision": 2, "curfew": contract.text_of(bytes(40))}],
        "beat": [{"epoch": 1, "number": 1}],
        "keyed": [{"generation": 1}, {"generation": 2}],
        "keys": [
            wrap(one.gateways, one.number, str(Topic(GATEWAY, "keys", TAG)), KEY, bytes(13)) for one in GENERATIONS
        ],
        "other": [{}],
    }
    inputs = []
    for at, name in enumerate(NAMES):
        for data in datas[name]:
            body = {"specversion": "1.0", "id": "x", "time": heard, "data": data}
            topic = Topic(GATEWAY, name, TAG if name in contract.ABOUT_A_TAG or name == "other" else "")
            raw = f"{topic}\n".encode() + contract.encode(Message(topic, "x", NOW, data), KEY)
            inputs += [bytes([2, at]) + json.dumps(data).encode(), bytes([1, at]) + json.dumps(body).encode()]
            inputs.append(bytes([0, at]) + raw)
    return inputs


# The contract.


def build_contract() -> Callable[[bytes], None]:
    return take_contract


def take_contract(data: bytes) -> None:
    topic, payload = message(Reader(data))
    with contextlib.suppress(RemoteProtocolError):
        assert str(contract.parse_topic(topic)) == topic
    try:
        opened = contract.decode(topic, payload, KEY)
    except RemoteProtocolError:
        return
    assert str(opened.topic) == topic
    for name in opened.data:
        for read in (contract.number, contract.octets):
            with contextlib.suppress(RemoteProtocolError):
                read(opened.data, name)


# The centre.


def centre_on(ledger: Ledger) -> Centre:
    person = Person(HandMadeTag().centre_keys, Schedule(ZoneInfo("Europe/Berlin"), ()))
    return Centre([person], {GATEWAY: KEY}, ledger, utc=lambda: NOW, epoch=EPOCH)


def build_centre() -> Callable[[bytes], None]:
    _OPEN.close()
    tag, ledger = HandMadeTag(), Ledger()
    _OPEN.callback(ledger.close)
    centre = centre_on(ledger)
    centre.rekey(TAG)

    def take(data: bytes) -> None:
        reader = Reader(data)
        topic, payload = genuine_record(tag, reader) if reader.number() % 2 else message(reader)
        entry = centre.receive(topic, payload)
        while (out := centre.next_message()) is not None:
            contract.decode(out.topic, out.payload, KEY)
        if entry is not None and one_in(RESTART_ONE_IN, data):
            centre_on(ledger)  # whatever was let into the ledger, the centre starts again with it

    return take


def genuine_record(tag: HandMadeTag, reader: Reader) -> tuple[str, bytes]:
    """A record that a tag's own key sealed round any content, brought by a gateway with any story about it."""
    channel = ("event", "position", "time")[reader.number() % 3]
    kind, flags, sequence = reader.number(), reader.number(), reader.number(4)
    record = tag.record(kind, reader.take(reader.number() % 64), sequence=sequence, flags=flags)
    heard = reader.rest().decode("utf-8", "replace") or contract.utc_text(NOW)
    data = {"record": contract.text_of(record), "request": contract.text_of(record), "heard": heard}
    topic = Topic(GATEWAY, channel, TAG)
    return str(topic), contract.encode(Message(topic, "1", NOW, data), KEY)


def centre_seeds() -> list[bytes]:
    event = frames.pack_event((frames.EVENT_LEFT_HOME, 0, 1, 7, 0, 0, 300))
    alarm = frames.pack_event((frames.EVENT_STRAP_OPEN, 1, 1, 7, 0, EPOCH, 0))
    fix = frames.pack_fix((1, 7, 0, 0, 532487000, 104078000, 35, 0, 0))
    records = []
    for at, (channel, kind, body) in enumerate(
        [(0, frames.EVENT, event), (0, frames.EVENT, alarm), (1, frames.FIX, fix), (2, frames.TIME_REQUEST, bytes(6))]
    ):
        head = bytes([1, channel, kind, 0]) + (at + 1).to_bytes(4, "big") + bytes([len(body)]) + body
        records += [head, head + b"2026-03-02T20:00:00+00:00", head + b"0001-01-01T00:00:00+00:00"]
    return [*records, *(b"\x00" + data for data in message_seeds())]


# The relay, with a station behind it.


class Broker:
    """Takes what is published and answers nothing."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        contract.decode(topic, payload, KEY)
        return 1


def build_relay() -> Callable[[bytes], None]:
    _OPEN.close()
    tag, outbox = HandMadeTag(), Outbox(":memory:")
    _OPEN.callback(outbox.close)
    station = Station(int(GATEWAY, 16), [tag.gateway_keys], lambda size: bytes(range(size)), home=True)
    relay = Relay(
        GATEWAY,
        KEY,
        outbox,
        Broker(),  # type: ignore[arg-type] - all that the relay asks of a client
        utc=lambda: NOW,
        clock=lambda: 0.0,
        on_command=lambda to, command: _deliver(station, to, command),
        entropy=lambda size: bytes(range(size)),
        on_keys=lambda keys, generation: station.expect_keys(keys, generation, 0.0),
    )
    relay.mqtt_connected()
    link = station.open_link(0.0)
    station.receive_data(link, tag.hello(0.0), 0.0)
    tag.receive(station.next_event().data)  # type: ignore[union-attr] - the answer to HELLO
    station.receive_data(link, tag.reply(0.0), 0.0)  # it acknowledges WELCOME too
    for _ in range(4):
        record = tag.event()
        relay.keep(Record(TAG, seal.peek_envelope(record), record))

    def take(data: bytes) -> None:
        relay.mqtt_message(*message(Reader(data)))
        while (event := station.next_event()) is not None:
            tag.receive(event.data)  # type: ignore[union-attr] - commands are all that it sends
            station.receive_data(link, tag.acknowledgement(), 0.0)
        tag.taken.clear()

    return take


def _deliver(station: Station, tag: str, command: bytes) -> None:
    station.send_command(tag, command, 0.0)


TARGETS = [
    Target("contract", build_contract, message_seeds, share=100, max_len=2048, words=WORDS),
    Target("centre", build_centre, centre_seeds, share=25, max_len=2048, lives=500, words=WORDS),
    Target("relay", build_relay, message_seeds, share=100, max_len=2048, lives=500, words=WORDS),
]
