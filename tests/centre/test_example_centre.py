"""The centre in docs/integrators.md, as it stands there: a process of its own on a real broker, and a real gateway on the other side."""

import asyncio
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from random import Random

from hand_made_tag import ALARM, TAG, HandMadeTag
from station_home import Home
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.station import Presence, Provisional, Record, TimeRequest, Transmit
from strapline_protocol.mqtt import PahoClient
from strapline_wire import frames

PAGE = Path(__file__).resolve().parents[2] / "docs/integrators.md"
GATEWAY, KEY = "6a7e0001", bytes(range(32))
LIMIT_S = 60.0


def block(title):
    found = re.findall(rf'```python title="{title}"\n(.*?)```\n', PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return found[0]


@contextmanager
def example(folder, broker, keys):
    """The example, running; gives its lines, from the moment on when it listens."""
    (folder / "centre.py").write_text(block("centre.py"), encoding="utf-8")
    (folder / "centre.json").write_text(json.dumps({"broker": broker.url, **keys}))
    process = subprocess.Popen(
        [sys.executable, "centre.py"], cwd=folder, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stdout.readline() == "listening\n"
        yield process.stdout
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        process.stdout.close()


def test_it_has_at_most_thirty_lines_and_needs_nothing_but_the_protocol_package():
    code = block("centre.py")
    assert len(code.splitlines()) <= 30
    ours = re.findall(r"^(?:from|import) (strapline\w*)", code, re.MULTILINE)
    assert set(ours) == {"strapline_protocol"}


class House:
    """A tag, a station, an outbox and a relay on the real clock; the air between tag and station is a call."""

    def __init__(self, broker, folder):
        self.tag = HandMadeTag()
        self.home = Home(self.tag)
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.client = PahoClient(broker.url, GATEWAY, subscriptions(GATEWAY), state_will(GATEWAY, KEY, utc_now(), 1))
        self.relay = Relay(
            GATEWAY,
            KEY,
            self.outbox,
            self,
            utc=utc_now,
            clock=lambda: self.home.now,
            on_command=self.command,
            entropy=Random(7).randbytes,
        )
        self.changed = asyncio.Event()
        self.link = None

    def publish(self, *arguments, **options):
        return self.client.publish(*arguments, **options)

    def command(self, tag, sealed):
        self.home.station.send_command(tag, sealed, self.home.now)
        self.do(self.home.take())

    def do(self, events):
        for event in events:
            if isinstance(event, Record | Presence | Provisional):
                self.relay.keep(event)
            elif isinstance(event, TimeRequest):
                self.relay.ask_time(event)
            elif isinstance(event, Transmit):
                self.tag.receive(event.data)

    def live(self):
        """An evening: the tag comes, answers, tells of this and that, and its strap is cut."""
        tag, home = self.tag, self.home
        self.do(home.hear(tag.heartbeat(home.now)))
        self.link = home.station.open_link(home.now, tag.ident)
        self.do(home.say(self.link, tag.hello(home.now)))
        self.do(home.say(self.link, tag.reply(home.now)))
        self.do(home.say(self.link, tag.send(tag.time_request(b"12345678"))))
        for sealed in (tag.event(), tag.fix(), tag.record(0x3E, b"of a newer firmware"), tag.event(sequence=9)):
            self.do(home.say(self.link, tag.send(sealed)))
        self.do(home.hear(tag.heartbeat(home.now, ALARM, newest_alarm=10)))
        self.do(home.say(self.link, tag.send(tag.event(frames.EVENT_STRAP_OPEN, sequence=10))))
        body = frames.pack_tombstone((1, 7, 4, 8, 5))
        self.do(home.say(self.link, tag.send(tag.record(frames.TOMBSTONE, body, sequence=11))))
        forged = bytearray(tag.event(sequence=12))
        forged[-1] ^= 1
        self.do(home.say(self.link, tag.send(bytes(forged))))

    # A listener that stands before the relay, and wakes the test.

    def mqtt_connected(self):
        self.relay.mqtt_connected()

    def mqtt_disconnected(self, reason):
        self.relay.mqtt_disconnected(reason)

    def mqtt_published(self, token):
        self.relay.mqtt_published(token)

    def mqtt_message(self, topic, payload):
        self.relay.mqtt_message(topic, payload)
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def test_it_receipts_every_record_of_a_real_gateway(mosquitto, tmp_path, no_leaked_threads):
    keys = {"tags": {TAG: HandMadeTag().centre_keys.end_to_end.hex()}, "gateways": {GATEWAY: KEY.hex()}}

    async def main():
        house = House(mosquitto, tmp_path)
        await house.client.connect(house)
        house.live()
        assert (
            len(house.outbox) == 10
        )  # seven records, one of them forged; the tag's presence, twice as it proves itself, and its provisional alarm
        await house.until(lambda: not len(house.outbox) and len(house.tag.taken) >= 8)
        house.relay.say_goodbye()
        await house.client.close()
        house.outbox.close()
        assert house.relay.rejected == {}
        assert house.relay.refused == 1
        return [house.tag.open_command(sealed) for sealed in house.tag.taken]

    with example(tmp_path, mosquitto, keys) as lines:
        commands = asyncio.run(main())
        told = []
        while not told or "'offline'" not in told[-1]:
            told.append(lines.readline())
    receipts = [frames.unpack_receipt(body) for envelope, body in commands if envelope.kind == frames.RECEIPT]
    assert max(base for _, base, _ in receipts) == 12  # past what the tombstone tells of, and not past the forged one
    assert len(receipts) == 6
    assert [e.kind for e, _ in commands].count(frames.TIME) == 1
    assert [frames.unpack_refused(body)[1] for e, body in commands if e.kind == frames.REFUSED] == [3]
    kinds = [line.split("(")[0] for line in told]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "Arrival": 6,
        "GatewayRecord": 3,
        "GatewayState": 2,
        "Refused": 1,
        "TimeAsked": 1,
    }
    assert any("body=Event(code=16" in line for line in told)


def test_the_pages_own_try_of_it_ends_as_the_page_says(mosquitto, tmp_path):
    keys = {"tags": {"7a909999": bytes(range(16)).hex()}, "gateways": {"6a7e9999": bytes(range(32)).hex()}}
    written = re.search(r"centre.json <<'END'\n(.*?)END", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert json.loads(written[1]) == {"broker": "mqtt://127.0.0.1:18830", **keys}
    (tmp_path / "home.py").write_text(block("home.py"), encoding="utf-8")
    with example(tmp_path, mosquitto, keys) as lines:
        said = subprocess.run(
            [sys.executable, "home.py", str(mosquitto.port)],
            cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=True,
        )  # fmt: skip
        told = lines.readline()
    assert said.stdout in PAGE.read_text(encoding="utf-8")
    assert told.startswith("Arrival(gateway='6a7e9999', ")
    assert "body=Event(code=16, flags=1, boot=1, uptime_s=3600, uptime_ms=0, utc_s=0, detail=1)" in told
