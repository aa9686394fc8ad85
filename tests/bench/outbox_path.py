"""What a record costs on its way through outbox and relay, by step: kept, published, let go. No broker, no radio; JSON on stdout.

`--profile` prints where the time goes instead.
"""

import cProfile
import json
import pstats
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hand_made_tag import HandMadeTag
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Record
from strapline_protocol import contract
from strapline_protocol.contract import Message, Topic
from strapline_wire import seal

GATEWAY, KEY = "6a7e0001", bytes(range(32))
RECORDS = 6400


class Line:
    """A broker that takes everything at once."""

    def __init__(self):
        self.sent = 0
        self.bytes = 0
        self.relay = None

    def publish(self, topic, payload, *, retain=False, expiry_s=None):
        self.sent += 1
        self.bytes += len(payload)
        return self.sent

    def acknowledge(self, token):
        self.relay.mqtt_published(token)


def path(records, group, folder):
    """Seconds for all, by step."""
    now, start = [0.0], datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    outbox, line = Outbox(Path(folder) / f"outbox-{group}.sqlite"), Line()
    relay = line.relay = Relay(
        GATEWAY, KEY, outbox, line, utc=lambda: start + timedelta(seconds=now[0]), clock=lambda: now[0],
        on_command=lambda _tag, _sealed: None, entropy=lambda size: bytes(range(size)),
    )  # fmt: skip
    relay.mqtt_connected()
    topic = Topic(GATEWAY, "receipt")
    kept = let_go = 0.0
    cpu = time.process_time()
    for first in range(0, len(records), group):
        some = records[first : first + group]
        began = time.perf_counter()
        relay.keep_all(some)
        kept += time.perf_counter() - began
        for token in list(relay._unacknowledged):
            line.acknowledge(token)
        last = some[-1].envelope
        data = {
            "source": some[-1].tag,
            "journal": last.origin,
            "base": last.number + 1,
            "bitmap": 0,
            "command": "A" * 64,
        }
        payload = contract.encode(Message(topic, "x", start, data), KEY)
        began = time.perf_counter()
        relay.mqtt_message(str(topic), payload)
        let_go += time.perf_counter() - began
        now[0] += 0.01
    cpu = time.process_time() - cpu
    assert line.sent == len(records) + 1
    assert not len(outbox)
    outbox.close()
    return {
        "keep_and_publish_us": kept / len(records) * 1e6,
        "let_go_us": let_go / len(records) * 1e6,
        "cpu_us": cpu / len(records) * 1e6,
    }


def main():
    tag = HandMadeTag()
    records = [Record(tag.ident, seal.peek_envelope(sealed), sealed) for sealed in (tag.fix() for _ in range(RECORDS))]
    with tempfile.TemporaryDirectory() as folder:
        if "--profile" in sys.argv:
            with cProfile.Profile() as profile:
                path(records, 64, folder)
            pstats.Stats(profile).sort_stats("tottime").print_stats(28)
            return
        figures = {
            f"groups_of_{group}": path(records[: RECORDS if group > 1 else RECORDS // 8], group, folder)
            for group in (1, 8, 64)
        }
    encoded = Message(
        Topic(GATEWAY, "event", "7a900001"), "x", datetime.now(UTC), {"record": "A" * 80, "heard": "x" * 24}
    )
    began = time.perf_counter()
    for _ in range(20_000):
        contract.encode(encoded, KEY)
    figures["encode_us"] = (time.perf_counter() - began) / 20_000 * 1e6
    payload = contract.encode(encoded, KEY)
    began = time.perf_counter()
    for _ in range(20_000):
        contract.decode(str(encoded.topic), payload, KEY)
    figures["decode_us"] = (time.perf_counter() - began) / 20_000 * 1e6
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
