"""Listening in on a gateway: bounded, over when nobody asks any more, and the bytes are those of the line."""

import asyncio

import pytest

from hand_made_tag import HandMadeTag
from radio_bench import on_air
from station_bench import StationBench, until
from strapline_gateway.tap import ANSWER_BYTES, PATIENCE_S, Tap
from strapline_gateway.tcp_link import TcpLink
from strapline_protocol.definitions import State
from strapline_wire import frames, link, seal


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_nothing_is_held_before_anybody_asks(clock):
    tap = Tap(clock, clock)
    tap.note("mqtt", b"before", inbound=True)
    begun = tap.take(None)
    tap.note("mqtt", b"after", inbound=True, retain=1)
    (crossing,), last, lost = tap.take(begun.last)
    assert (crossing.data, crossing.notes, lost) == (b"after", {"retain": "1"}, 0)
    assert tap.take(last).crossings == []


def test_what_is_not_fetched_in_time_goes_and_is_counted(clock):
    tap = Tap(clock, clock, limit_bytes=10_000)
    begun = tap.take(None).last
    for number in range(100):
        tap.note("air", bytes([number]) * 100, inbound=True)
    taken = tap.take(begun)
    assert taken.crossings[-1].data[0] == 99
    assert len(taken.crossings) + taken.lost == 100
    assert sum(len(crossing.data) for crossing in taken.crossings) < 10_000
    assert tap.take(taken.last) == ([], taken.last, 0)


def test_one_answer_is_bounded_and_the_next_goes_on_behind_it(clock):
    tap = Tap(clock, clock)
    after, got = tap.take(None).last, []
    for _ in range(80):
        tap.note("mqtt", bytes(20_000), inbound=True)
    while taken := tap.take(after).crossings:
        assert sum(len(crossing.data) for crossing in taken) < ANSWER_BYTES + 20_000
        after = taken[-1].number
        got += taken
    assert [crossing.number for crossing in got] == list(range(1, 81))


def test_who_asks_no_more_is_forgotten_and_told_what_he_missed(clock):
    tap = Tap(clock, clock)
    after = tap.take(None).last
    tap.note("air", b"1", inbound=True)
    clock.now += PATIENCE_S + 1
    assert not tap.is_open
    tap.note("air", b"2", inbound=True)
    assert tap.take(after) == ([], 1, 1)
    tap.note("air", b"3", inbound=True)
    assert [crossing.data for crossing in tap.take(1).crossings] == [b"3"]


def test_a_line_of_a_caller_is_noted_both_ways_with_the_tag_that_proves_itself():
    async def main():
        tag = HandMadeTag()
        bench = StationBench([tag])
        tap = Tap(now=asyncio.get_running_loop().time)
        tap.tag_of = bench.station.tag_of
        tap.take(None)
        async with bench.running(TcpLink("127.0.0.1", 0, bench.station, bench.drain, tap=tap)) as tcp:
            reader, writer = await asyncio.open_connection(*tcp.addresses[0])
            writer.write(tag.hello(0.0))
            tag.receive(await reader.read(4096))
            writer.write(tag.reply(0.0))
            sealed = tag.event()
            writer.write(tag.send(sealed))
            await until(lambda: bench.records == [sealed])
            writer.close()
            await until(lambda: len(tcp.health.failures) or not bench.station._connections)
        return tap.take(0).crossings

    crossings = asyncio.run(main())
    assert {(crossing.interface, crossing.line) for crossing in crossings} == {("cellular", 1)}
    ways = {inbound: b"".join(one.data for one in crossings if one.inbound is inbound) for inbound in (True, False)}
    kinds = {
        inbound: [
            seal.peek(content[link.HEADER_SIZE :])[0] for content in link.Deframer().feed(data) if len(content) > 3
        ]
        for inbound, data in ways.items()
    }
    assert kinds == {True: [frames.HELLO, frames.REPLY, frames.RECORD], False: [frames.WELCOME]}
    assert crossings[0].tag == ""
    assert crossings[-1].tag == HandMadeTag().ident


def test_the_radio_notes_advertisements_whole_and_connections_by_their_line():
    async def story(bench):
        tag = await bench.tag()
        tag.records = [tag.tag.event()]
        tap = Tap(now=asyncio.get_running_loop().time)
        tap.take(None)
        async with bench.running(tap=tap):
            tag.flags = State.PENDING
            await tag.beacon(3)
        crossings = tap.take(0).crossings
        heard = [crossing for crossing in crossings if not crossing.line]
        assert {seal.peek(crossing.data)[0] for crossing in heard} == {frames.HEARTBEAT}
        assert {crossing.notes["rssi_dbm"] for crossing in heard} == {"-60"}
        assert {crossing.inbound for crossing in crossings if crossing.line} == {True, False}

    on_air(story)
