"""The processes of the gateway's measurement: `gateway`, `centre`, `tags`. Each is told by its arguments (JSON), answers in lines of JSON.

What the tags seal for the centre is sealed before the clock starts: the measurement is of the gateway, not of a load generator.
"""

import asyncio
import json
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.process import GATHER_S
from strapline_centre.service import CentreService
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, utc_now
from strapline_gateway.relay import subscriptions as gateway_subscriptions
from strapline_gateway.station import Record, Station
from strapline_gateway.tcp_link import TcpLink
from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_protocol.mqtt import PahoClient
from strapline_wire import frames, seal
from strapline_wire.arq import ReliableLink
from strapline_wire.keys import Slot, derive
from strapline_wire.session import TagHandshake

GATEWAY, KEY = "6a7e00be", bytes(range(32))
LOOK_EVERY_S = 0.005
ALARMS_FROM = 0x8000
"""Tags from this number on send alarms only."""


def ident(number):
    return f"7a9{number:05x}"


def secret(number):
    return number.to_bytes(16, "big")


def numbers(options):
    return [*range(options["tags"]), *(ALARMS_FROM + n for n in range(options["alarm_tags"]))]


def say(**values):
    print(json.dumps(values), flush=True)


async def heard_line():
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# The gateway under test.


class Watch:
    """Says when all that was to come has gone again on the centre's receipt."""

    def __init__(self, outbox, expected):
        self._outbox, self._expected = outbox, expected
        self.kept = 0

    def count(self, event):
        if not isinstance(event, Record):
            return
        self.kept += 1
        if self.kept == 1:
            self._cpu_before = cpu_s()
        if self.kept == self._expected:
            self._look()

    def _look(self):
        if len(self._outbox):
            asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)
        else:
            say(done=time.monotonic(), cpu_s=cpu_s() - self._cpu_before, kept=self.kept)


async def gateway(options):
    loop = asyncio.get_running_loop()
    keys = [gateway_keys(ident(n), secret(n)) for n in numbers(options)]
    outbox = Outbox(Path(options["folder"]) / "outbox.sqlite")
    station = Station(int(GATEWAY, 16), keys, os.urandom, home=False, now=loop.time())
    whole = Gateway(station, None)
    will = state_will(GATEWAY, KEY, utc_now(), outbox.start)
    client = PahoClient(options["broker"], GATEWAY, gateway_subscriptions(GATEWAY), will)
    relay = Relay(
        GATEWAY,
        KEY,
        outbox,
        client,
        utc=utc_now,
        clock=loop.time,
        on_command=whole.command,
        entropy=os.urandom,
        on_keys=whole.expect_keys,
    )
    watch = Watch(outbox, options["expected"])
    ingress = TcpLink("127.0.0.1", 0, station, whole.drain_soon)
    whole.add_links([ingress])
    whole.attach(relay)
    whole.on_event = watch.count
    await client.connect(relay)
    async with whole:
        say(port=ingress.addresses[0][1])
        profiler = start_profile(options)
        await heard_line()
        stop_profile(profiler, options)
    relay.say_goodbye()
    await client.close()
    outbox.close()


def start_profile(options):
    if not options.get("profile"):
        return None
    import cProfile

    profiler = cProfile.Profile()
    profiler.enable()
    return profiler


def stop_profile(profiler, options):
    if profiler is not None:
        profiler.disable()
        profiler.dump_stats(options["profile"])


# The centre.


async def centre(options):
    ledger = Ledger(f"sqlite:///{options['folder']}/ledger.sqlite")
    persons = [Person(centre_keys(ident(n), secret(n))) for n in numbers(options)]
    rules = Centre(persons, {GATEWAY: KEY}, ledger, utc=utc_now, epoch=int(time.time()))
    client = PahoClient(options["broker"], "centre", centre_subscriptions())
    arrived = []

    def note(entry):
        if entry.source != GATEWAY and int(entry.source[3:], 16) >= ALARMS_FROM:
            arrived.append((entry.source, entry.sequence, time.monotonic()))

    payloads = []
    service = CentreService(rules, client, note, gather_s=GATHER_S)

    class Recording:
        mqtt_connected, mqtt_disconnected, mqtt_published = (
            service.mqtt_connected,
            service.mqtt_disconnected,
            service.mqtt_published,
        )

        def mqtt_message(self, topic, payload):
            if options.get("payloads"):
                payloads.append((topic, payload))
            service.mqtt_message(topic, payload)

    profiler = start_profile(options)
    await client.connect(Recording())
    say(ready=True)
    await heard_line()
    await client.close()
    stop_profile(profiler, options)
    entries = sum(1 for entry in ledger.entries() if entry.source != GATEWAY)
    say(arrived=arrived, entries=entries, duplicates=ledger.duplicates, rejected=dict(rules.rejected), cpu_s=cpu_s())
    ledger.close()
    return payloads


# The tags.


class Tag(asyncio.Protocol):
    """One tag on a TCP connection of its own, with all its frames sealed beforehand; it sends them as fast as the link takes them."""

    def __init__(self, number, records):
        self.name = ident(number)
        self.records = records
        self.sent = 0
        self.times = {}
        self.free = 0
        """How many of them may go now."""
        self.commands = 0
        self.ready = asyncio.get_running_loop().create_future()
        self.through = asyncio.get_running_loop().create_future()
        link_key, header = derive(secret(number), "link"), HostCipher(derive(secret(number), "header"))
        self._handshake = TagHandshake(link_key, header, Slot(header, 0).pseudonym, os.urandom(8), HostCipher)
        self._session = None
        self._link = ReliableLink(1 + number % 255, 10_000)

    def connection_made(self, transport):
        self._transport = transport
        self._link.send(self._handshake.hello)
        self._flush()

    def data_received(self, data):
        for frame in self._link.receive_data(data, _now_ms()):
            if self._session is None:
                _, self._session = self._handshake.receive(frame)
                self._link.send(self._session.seal(frames.REPLY, frames.pack_reply((1, 0))))
                self._frames = [self._session.seal(frames.RECORD, record) for record in self.records]
                self.ready.set_result(None)
            else:
                self.commands += 1
        self.go()

    def go(self):
        while self.free and self._link.room() and self.sent < len(self.records):
            self.free -= 1
            self.sent += 1
            self.times[self.sent] = time.monotonic()
            self._link.send(self._frames[self.sent - 1])
            if self.sent == len(self.records):
                self.through.set_result(None)
        self._flush()

    def _flush(self):
        if lines := self._link.data_to_send(_now_ms()):
            self._transport.write(b"".join(lines))


def _now_ms():
    return round(time.monotonic() * 1000)


def sealed_records(number, count):
    """Alternating positions and events; alarms for those that send alarms."""
    cipher = HostCipher(derive(secret(number), "end-to-end"))
    is_alarm = number >= ALARMS_FROM
    made = []
    for sequence in range(1, count + 1):
        if is_alarm or sequence % 2:
            code = frames.EVENT_STRAP_OPEN if is_alarm else frames.EVENT_BEACON
            kind, body = frames.EVENT, frames.pack_event((code, int(is_alarm), 1, sequence, 0, 0, 0))
        else:
            kind, body = frames.FIX, frames.pack_fix((1, sequence, 0, 0, 532487000, 104078000, 35, 0, 0))
        made.append(seal.seal_envelope((kind, int(is_alarm), 0x4A0B0001, sequence), body, cipher, seal.UP))
    return made


async def tags(options):
    loop = asyncio.get_running_loop()
    everyone = []
    for number in numbers(options):
        count = options["alarms_each"] if number >= ALARMS_FROM else options["records_each"]
        tag = Tag(number, sealed_records(number, count))
        await loop.create_connection(lambda tag=tag: tag, "127.0.0.1", options["port"])
        everyone.append(tag)
        await tag.ready
    say(ready=True)
    await heard_line()
    began = time.monotonic()
    if options["rate"]:
        await paced(everyone, options)
    else:
        for tag in everyone:
            tag.free = len(tag.records)
            tag.go()
    await asyncio.gather(*(tag.through for tag in everyone))
    say(began=began, sent_s=time.monotonic() - began)
    await heard_line()
    alarms = [tag for tag in everyone if int(tag.name[3:], 16) >= ALARMS_FROM]
    times = [(tag.name, sequence, at) for tag in alarms for sequence, at in tag.times.items()]
    say(times=times, commands=sum(tag.commands for tag in everyone), cpu_s=cpu_s())


async def paced(everyone, options):
    """History at `rate` a second over all, alarms at `alarm_rate`, evenly."""
    history = [tag for tag in everyone if int(tag.name[3:], 16) < ALARMS_FROM]
    alarms = [tag for tag in everyone if int(tag.name[3:], 16) >= ALARMS_FROM]
    began, done = time.monotonic(), [0, 0]
    total = [sum(len(t.records) for t in group) for group in (history, alarms)]
    while done[0] < total[0] or done[1] < total[1]:
        elapsed = time.monotonic() - began
        for lane, (group, rate) in enumerate(((history, options["rate"]), (alarms, options["alarm_rate"]))):
            while done[lane] < min(total[lane], elapsed * rate):
                tag = group[done[lane] % len(group)]
                tag.free += 1
                tag.go()
                done[lane] += 1
        await asyncio.sleep(0.002)


if __name__ == "__main__":
    chosen = {"gateway": gateway, "centre": centre, "tags": tags}[sys.argv[1]]
    wanted = json.loads(sys.argv[2])
    with suppress(KeyboardInterrupt):
        kept = asyncio.run(chosen(wanted))
    if kept and "payloads" in wanted:
        lines = (json.dumps([topic, payload.decode()]) for topic, payload in kept)
        Path(wanted["payloads"]).write_text("\n".join(lines), encoding="utf-8")
