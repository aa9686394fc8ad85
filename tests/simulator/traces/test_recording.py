"""Recording from a gateway's control socket: frames out of bytes, files that turn over, and a gateway that starts again."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_bench import until
from strapline_gateway.tap import Tap, plain
from strapline_protocol.errors import UserError
from strapline_protocol.local_control import ControlServer
from strapline_simulator.trace import TraceWriter, read_trace
from strapline_simulator.traces.recording import Putting, Turning, TurningWriter, record
from strapline_wire import link

T0 = 1_768_201_200.0


class Ticking:
    def __init__(self):
        self.at = T0

    def __call__(self):
        self.at += 0.001
        return self.at


def open_tap(**options):
    tap = Tap(Ticking(), lambda: 0.0, **options)
    tap.take(None)
    return tap


def written(path, answers, turning=None):
    writer = TurningWriter(path, turning or Turning())
    putting = Putting(writer)
    for answer in answers:
        putting.take(answer)
    writer.close()
    return putting.counts


def line(frame):
    return link.encode(bytes((7, 0, 0)) + frame)


@given(seed=st.integers(0, 1000))
def test_bytes_in_any_portions_of_several_lines_become_their_frames(tmp_path_factory, seed):
    random, tap = Random(seed), open_tap()
    frames = [
        (random.randrange(1, 4), random.random() < 0.5, random.randbytes(random.randrange(1, 60))) for _ in range(12)
    ]
    streams = {}
    for number, inbound, frame in frames:
        streams.setdefault((number, inbound), bytearray()).extend(line(frame) + link.encode(bytes((7, 7, 0))))
    while streams:
        number, inbound = key = random.choice(sorted(streams))
        size = random.randrange(1, 30)
        tap.note("serial", bytes(streams[key][:size]), inbound=inbound, line=number)
        del streams[key][:size]
        if not streams[key]:
            del streams[key]
    path = tmp_path_factory.getbasetemp() / "portions.pcapng"
    counts = written(path, [plain(tap.take(0))])
    assert (counts.packets, counts.lost, counts.broken) == (12, 0, 0)
    found = [(int(packet.notes["line"]), packet.inbound, packet.data) for packet in read_trace(path)]
    assert sorted(found) == sorted(frames)


def test_what_the_gateway_had_to_let_go_is_noted_at_the_next_packet(tmp_path):
    tap = open_tap(limit_bytes=1000)
    for number in range(10):
        tap.note("mqtt", b"topic\0%d" % number + bytes(200), inbound=False)
    counts = written(tmp_path / "t.pcapng", [plain(tap.take(0))])
    first, *rest = read_trace(tmp_path / "t.pcapng")
    assert first.notes == {"lost_before": str(counts.lost)}
    assert all(packet.notes == {} for packet in rest)
    assert counts.lost + counts.packets == 10


def test_a_full_file_is_turned_over_and_the_oldest_goes(tmp_path):
    tap = open_tap()
    for number in range(40):
        tap.note("mqtt", b"%02d" % number + bytes(98), inbound=True)
    with TraceWriter(tmp_path / "empty.pcapng") as trace:
        head = trace.size
    path = tmp_path / "t.pcapng"
    written(path, [plain(tap.take(0))], Turning(head + 1000, 3))
    files = [path, tmp_path / "t.1.pcapng", tmp_path / "t.2.pcapng"]
    assert sorted(tmp_path.glob("t*")) == sorted(files)
    numbers = [int(packet.data[:2]) for file in reversed(files) for packet in read_trace(file)]
    assert numbers == list(range(numbers[0], 40))
    assert numbers[0] > 0
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert all(file.stat().st_size < head + 1200 for file in files)


def test_a_gateway_that_starts_again_is_waited_for(tmp_path):
    """A real control socket, that of a gateway which ends and comes back with numbers of its own."""
    told, lives = [], [open_tap(), open_tap()]
    ended = []

    async def gateway(tap, packets):
        def answer(asked):
            taken = plain(tap.take(asked["after"]))
            if asked["after"] is None:
                for data in packets:
                    tap.note("mqtt", data, inbound=True)
            return taken

        return ControlServer(tmp_path, {"trace": answer})

    async def main():
        async with await gateway(lives[0], [b"1", b"2"]):
            asked = {"goes_on": lambda: not ended, "tell": told.append}
            recording = asyncio.create_task(
                asyncio.to_thread(record, tmp_path, tmp_path / "t.pcapng", Turning(), **asked)
            )
            await packets(2)
        await until(lambda: told)
        async with await gateway(lives[1], [b"3"]):
            await packets(3)
            ended.append(True)
            return await recording

    async def packets(count):
        path = tmp_path / "t.pcapng"
        await until(lambda: path.exists() and len(list(read_trace(path))) >= count)

    counts = asyncio.run(main())
    assert [packet.data for packet in read_trace(tmp_path / "t.pcapng")] == [b"1", b"2", b"3"]
    assert counts.packets == 3
    assert told == ["the gateway has ended; it is waited for", "the gateway runs again"]


def test_where_no_gateway_runs_no_file_is_touched(tmp_path):
    old = tmp_path / "t.pcapng"
    old.write_bytes(b"precious")
    with pytest.raises(UserError, match="nothing runs there"):
        record(tmp_path, old, Turning(), goes_on=lambda: True, tell=print)
    assert old.read_bytes() == b"precious"


def test_a_disk_that_takes_nothing_is_one_line(tmp_path):
    async def main():
        async with ControlServer(tmp_path, {"trace": lambda _asked: plain(open_tap().take(None))}):
            await asyncio.to_thread(
                record, tmp_path, tmp_path / "nowhere" / "t.pcapng", Turning(), goes_on=lambda: True, tell=print
            )

    with pytest.raises(UserError, match="give a file that can be written"):
        asyncio.run(main())
