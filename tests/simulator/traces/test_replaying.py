"""Played again: pace, names and seals, and what is counted as missing; into a real broker, and over a wire into a station."""

import asyncio
import itertools
import json
import os
import pty
import signal
import tty
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from hand_made_tag import OTHER_SECRET, OTHER_TAG, SECRET, TAG, HandMadeTag
from mqtt_recorder import Recorder
from station_bench import StationBench
from strapline_gateway.serial_link import SerialLink
from strapline_protocol import contract
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_protocol.mqtt import PahoClient
from strapline_simulator.trace import Packet, TraceWriter, read_keys, read_trace
from strapline_simulator.traces.command import trace as app
from strapline_simulator.traces.keybox import KeyBox, read_keys_text
from strapline_simulator.traces.link_replay import LinkReplay, check_link
from strapline_simulator.traces.mqtt_replay import Plan, Receipts
from strapline_simulator.traces.pacing import Pace, Stepper
from strapline_simulator.traces.reading import Reader
from strapline_simulator.traces.remapping import Publication, Remapper
from strapline_simulator.traces.replaying import Asked, run
from strapline_simulator.traces.selecting import Selection
from strapline_simulator.traces.tag_side import conversations
from strapline_wire import frames, link

T0 = 1_768_201_200.0
HOME, OTHER_HOME = "6a7e0001", "6a7e9999"
AT_ONCE = Plan(Pace(rate=0.0), wait_s=5.0)


# Pace.


@given(
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    rate=st.floats(0.01, 1000),
    most=st.none() | st.floats(0, 100),
)
def test_due_times_never_go_back_and_no_pause_is_longer_than_asked(times, rate, most):
    due = Pace(rate, most).due(times)
    gaps = [after - before for before, after in itertools.pairwise(due)]
    assert due[0] == 0
    assert all(gap >= 0 for gap in gaps)
    if most is not None:
        assert all(gap <= most / rate * 1.0001 + 1e-6 for gap in gaps)


def test_the_pace_of_a_trace():
    assert Pace(2.0).due([10, 11, 15]) == [0, 0.5, 2.5]
    assert Pace(0.0).due([10, 11, 15]) == [0, 0, 0]
    assert Pace(1.0, 2.0).due([10, 11, 15, 12]) == [0, 1, 3, 3]


# Names and seals.


def publication(gateway=HOME, channel="presence", subject=TAG, key=bytes(32), **data):
    told = {"source": gateway, "journal": 5, "sequence": 1, **({"tag": subject} if subject else {}), **data}
    topic = contract.Topic(gateway, channel, subject)
    moment = contract.moment({"at": "2026-03-02T19:00:00Z"}, "at")
    payload = contract.encode(contract.Message(topic, f"{gateway}-1-7", moment, told), key)
    return Publication(T0, str(topic), payload, retain=False)


def test_a_gateway_and_a_tag_under_new_names_are_sealed_anew_with_the_key_that_was_given():
    new = bytes(range(32))
    remapper = Remapper({HOME: OTHER_HOME, TAG: OTHER_TAG}, {OTHER_HOME: new})
    mapped = remapper.map(publication())
    message = contract.decode(mapped.topic, mapped.payload, new)
    assert message.topic == contract.Topic(OTHER_HOME, "presence", OTHER_TAG)
    assert (message.data["tag"], message.data["source"]) == (OTHER_TAG, OTHER_HOME)
    assert message.ident == f"{OTHER_HOME}-1-7"
    assert HOME.encode() not in mapped.payload
    assert remapper.unsealed == 0


def test_without_the_key_the_old_seal_stays_and_is_counted():
    old = publication()
    remapper = Remapper({HOME: OTHER_HOME}, {})
    mapped = remapper.map(old)
    assert json.loads(mapped.payload)["seal"] == json.loads(old.payload)["seal"]
    assert remapper.unsealed == 1
    with pytest.raises(Exception, match="forged"):
        contract.decode(mapped.topic, mapped.payload, bytes(32))


def test_what_has_none_of_the_names_is_passed_on_byte_by_byte():
    one, other = publication(gateway="6a7e0002", subject=OTHER_TAG), Publication(T0, "homeassistant/x", b"{}", True)
    remapper = Remapper({HOME: OTHER_HOME, TAG: OTHER_TAG}, {})
    assert remapper.map(one) is one
    assert remapper.map(other) is other


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(0, 2**32 - 1)),
        max_size=5,
    )
)
def test_receipts_cover_what_the_contract_says_that_they_cover(told):
    receipts, covered = Receipts(), set()
    for base, bitmap, first, far in told:
        data = {"source": TAG, "journal": 5, "base": base, "bitmap": bitmap, "first": first, "far_bitmap": far}
        receipts.hear(publication(channel="receipt", subject="", **data))
        covered |= set(range(base)) | {first}
        covered |= {base + 1 + bit for bit in range(32) if bitmap >> bit & 1}
        covered |= {first + 1 + bit for bit in range(32) if far >> bit & 1}
    assert {n for n in range(120) if receipts.cover((HOME, TAG, 5, n))} == {n for n in covered if n < 120}
    assert not receipts.cover((HOME, TAG, 6, 0))


# Into a broker.


async def listened(broker, work):
    """What a subscriber heard while the work was done, and what came of that."""
    ear = Recorder()
    client = PahoClient(broker.url, "ear", ["#"])
    await client.connect(ear)
    try:
        outcome = await work
        client.publish("end", b"of it")
        await ear.until(lambda me: ("end", b"of it") in me.messages)
        return ear.messages[:-1], outcome
    finally:
        await client.close()


def into(broker, path, plan=AT_ONCE, selection=None, **more):
    asked = Asked(path, broker.url, KeyBox(), selection or Selection(), plan, **more)
    return asyncio.run(listened(broker, run(asked, Stepper())))


def recorded(path, channels=contract.FROM_GATEWAYS):
    """The publications of a trace, as (topic, payload)."""
    found = [packet.data.partition(b"\0") for packet in read_trace(path) if packet.interface == "mqtt"]
    return [
        (topic.decode(), payload)
        for topic, _, payload in found
        if contract.parse_topic(topic.decode()).channel in channels
    ]


def test_gateways_publications_come_out_in_order_as_often_as_asked_and_none_of_the_centres(run_with_keys, mosquitto):
    plan = AT_ONCE._replace(loops=2, verify="delivery")
    heard, (lines, good) = into(mosquitto, run_with_keys, plan)
    assert good, lines
    assert heard == recorded(run_with_keys) * 2
    assert f"verified: {len(heard)} of {len(heard)} messages came back from the broker" in lines


def test_only_what_is_meant_goes_out_and_the_centres_side_too_where_asked(run_with_keys, mosquitto):
    heard, _ = into(mosquitto, run_with_keys, selection=Selection(kinds=("receipt",), gateways=(HOME,)), side="both")
    assert heard == [one for one in recorded(run_with_keys, ("receipt",)) if f"/{HOME}/" in one[0]]
    assert heard


def test_under_another_gateways_name_with_its_seal(run_with_keys, mosquitto, tmp_path):
    key = bytes(range(32))
    (tmp_path / "new.key").write_text(key.hex() + "\n")
    (tmp_path / "new.key").chmod(0o600)
    names = {"names": [f"{HOME}={OTHER_HOME}"], "seals": [f"{OTHER_HOME}={tmp_path / 'new.key'}"]}
    heard, (lines, good) = into(mosquitto, run_with_keys, selection=Selection(gateways=(HOME,)), **names)
    assert good
    assert len(lines) == 1, lines
    old = read_keys_text(read_keys(run_with_keys)[0]).links[HOME]
    before = [contract.decode(topic, payload, old) for topic, payload in recorded(run_with_keys) if HOME in topic]
    after = [contract.decode(topic, payload, key) for topic, payload in heard]
    assert [message.time for message in after] == [message.time for message in before]
    assert {message.topic.gateway for message in after} == {OTHER_HOME}


def test_where_no_centre_answers_each_record_without_a_receipt_is_named(run_with_keys, mosquitto):
    _, (lines, good) = into(mosquitto, run_with_keys, AT_ONCE._replace(verify="receipts", wait_s=0.2))
    assert not good
    assert any(line.startswith("verified: 0 of ") for line in lines)
    assert any(line.startswith(f"no receipt for {TAG} journal ") for line in lines)
    assert len(lines) < 20


def test_each_message_waits_for_enter_and_the_end_of_the_input_is_the_end(run_with_keys, mosquitto):
    asked = ["replay", str(run_with_keys), "--to", mosquitto.url, "--rate", "0", "--step", "--verify", "delivery"]
    told = CliRunner().invoke(app, asked, input="\n\n\n")
    assert told.exit_code == 0, told.output
    assert "3 messages published, 3 with a PUBACK" in told.output
    assert "stopped before the end" in told.output
    assert told.output.count("[Enter]") == 4


def test_a_replay_without_end_ends_with_ctrl_c_and_says_how_far_it_came(run_with_keys, mosquitto):
    async def main():
        stepper = Stepper()
        plan = Plan(Pace(rate=0.0), loops=0, verify="delivery")
        replaying = run(Asked(run_with_keys, mosquitto.url, KeyBox(), Selection(kinds=("event",)), plan), stepper)
        asyncio.get_running_loop().call_later(0.2, os.kill, os.getpid(), signal.SIGINT)
        return await replaying

    (stopped, published, verified), good = asyncio.run(main())
    assert good
    assert stopped == "stopped before the end"
    count = int(published.split()[0])
    assert count >= len(recorded(run_with_keys, ("event",)))
    assert verified == f"verified: {count} of {count} messages came back from the broker"


def test_the_retained_state_is_retained_again(run_with_keys, mosquitto):
    into(mosquitto, run_with_keys)
    states, _ = asyncio.run(listened(mosquitto, asyncio.sleep(0)))
    assert {topic for topic, _ in states} == {topic for topic, _ in recorded(run_with_keys, ("state",))}


# Over a wire.


class Wire:
    """Two serial ports with a cable between them."""

    def __init__(self):
        self._ends = []
        self.ports = []
        for _ in range(2):
            near, far = pty.openpty()
            tty.setraw(far)
            os.set_blocking(near, False)
            self._ends.append((near, far))
            self.ports.append(os.ttyname(far))

    async def carry(self):
        (one, _), (other, _) = self._ends
        while True:
            for source, sink in ((one, other), (other, one)):
                with suppress(BlockingIOError):
                    os.write(sink, os.read(source, 4096))
            await asyncio.sleep(0.002)

    def close(self):
        for near, far in self._ends:
            os.close(far)
            os.close(near)


@pytest.fixture
def wire():
    wire = Wire()
    yield wire
    wire.close()


class Call:
    """What passes while a hand-made tag calls a station, written as a recorder does."""

    def __init__(self, trace, bench, tag, number):
        self._trace, self._bench, self._tag, self._number = trace, bench, tag, number
        self._deframers = {True: link.Deframer(), False: link.Deframer()}
        self._now = 100_000.0 * number
        self._line = bench.station.open_link(self._now)
        bench.link = self
        self._sent = []
        self._say(tag.hello(0.0))
        for data in self._sent:
            self._write(data, inbound=False)
            tag.receive(data)
        self._say(tag.reply(0.0))

    def perform(self, event):
        self._sent.append(event.data)

    def bring(self):
        record = self._tag.event(now=float(self._number))
        self._say(self._tag.send(record))
        return record

    def _say(self, data):
        self._write(data, inbound=True)
        self._bench.station.receive_data(self._line, data, self._now)
        self._bench.drain()

    def _write(self, data, *, inbound):
        for content in self._deframers[inbound].feed(data):
            if frame := content[link.HEADER_SIZE :]:
                self._trace.write("serial", T0 + 10 * self._number, frame, inbound, f"line={self._number}")


def conversation_trace(path, tag, calls):
    """So many calls with so many records each; gives the records."""
    bench = StationBench([tag])
    with TraceWriter(path) as trace:
        return [
            record for number, count in enumerate(calls, 1) for record in bring(Call(trace, bench, tag, number), count)
        ]


def bring(call, count):
    return [call.bring() for _ in range(count)]


class Moving(HandMadeTag):
    """Each call comes under the pseudonym of a much later slot."""

    def hello(self, now):
        self.slot += 40
        return super().hello(now)


def replayed(wire, path, keys, bench):
    """The outcome of a replay over the wire into a station."""

    async def main():
        box = KeyBox()
        box.add(keys)
        found = conversations(Reader(box).read_all(read_trace(path)), box)
        serial = SerialLink(wire.ports[0], 115_200, bench.station, bench.drain, name="serial:board")
        async with asyncio.TaskGroup() as tasks, bench.running(serial):
            carrying = tasks.create_task(wire.carry())
            try:
                replay = LinkReplay(check_link(f"serial:{wire.ports[1]}"), AT_ONCE._replace(wait_s=0.0), Stepper())
                return found, await replay.run(found.conversations)
            finally:
                carrying.cancel()

    return asyncio.run(main())


def test_two_calls_over_a_serial_line_bring_the_same_records_in_sessions_of_their_own(wire, tmp_path):
    tag = HandMadeTag()
    records = conversation_trace(tmp_path / "t.pcapng", tag, [2, 3])
    bench = StationBench([tag])
    found, outcome = replayed(wire, tmp_path / "t.pcapng", [tag.gateway_keys], bench)
    assert bench.records == records
    assert outcome == (2, 5, 0, [])
    assert (len(found.conversations), found.unopened) == (2, 0)


def test_months_of_pseudonyms_played_at_once_are_one_to_the_gateway(wire, tmp_path):
    tag = Moving(slot=-40)
    records = conversation_trace(tmp_path / "t.pcapng", tag, [1, 1, 1])
    bench = StationBench([tag])
    found, outcome = replayed(wire, tmp_path / "t.pcapng", [tag.gateway_keys], bench)
    assert len({one.pseudonym for one in found.conversations}) == 3
    assert bench.records == records
    assert outcome.troubles == []


def test_a_gateway_that_does_not_know_the_tag_is_told_as_such(wire, tmp_path, monkeypatch):
    monkeypatch.setattr("strapline_simulator.traces.link_replay._WELCOME_LIMIT_S", 0.3)
    tag = HandMadeTag()
    conversation_trace(tmp_path / "t.pcapng", tag, [1])
    bench = StationBench([HandMadeTag(OTHER_TAG, OTHER_SECRET)])
    _, outcome = replayed(wire, tmp_path / "t.pcapng", [tag.gateway_keys], bench)
    assert bench.records == []
    assert outcome.records == 0
    assert "is this tag enrolled there" in outcome.troubles[0]


def test_calls_without_a_key_and_heartbeats_are_counted_as_left_out(tmp_path):
    tag, other = HandMadeTag(), HandMadeTag(OTHER_TAG, OTHER_SECRET)
    conversation_trace(tmp_path / "t.pcapng", tag, [1, 1])
    packets = [*read_trace(tmp_path / "t.pcapng"), Packet("air", T0, other.heartbeat(0.0), None, True)]
    found = conversations(Reader(KeyBox()).read_all(packets), KeyBox())
    assert found == ([], 2, 1)


def test_a_frame_that_went_twice_on_the_line_is_said_once(tmp_path):
    tag = HandMadeTag()
    records = conversation_trace(tmp_path / "t.pcapng", tag, [2])
    packets = [packet for packet in read_trace(tmp_path / "t.pcapng") for _ in range(2)]
    box = KeyBox()
    box.add([gateway_keys(TAG, SECRET)], [centre_keys(TAG, SECRET)])
    (one,) = conversations(Reader(box).read_all(packets), box).conversations
    assert [saying.body for saying in one.said if saying.kind == frames.RECORD] == records
