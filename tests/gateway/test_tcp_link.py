"""The `tcp:` link on real sockets: thousands of callers, and those who would have it otherwise."""

import asyncio
import errno
import os
import resource
import socket
from contextlib import asynccontextmanager

import pytest

from hand_made_tag import SECRET, HandMadeTag
from station_bench import StationBench, until
from strapline_gateway import listening as listening_sockets
from strapline_gateway import tcp_link
from strapline_gateway.health import LinkState
from strapline_gateway.station import CALLER_PROVE_WITHIN_S
from strapline_gateway.tcp_link import TcpLimits, TcpLink
from strapline_protocol.errors import UserError


class Caller:
    """A tag, or somebody else, at the far end of a connection."""

    def __init__(self, tag=None, source="127.0.0.1"):
        self.tag = tag
        self._source = source

    async def dial(self, address):
        self.reader, self.writer = await asyncio.open_connection(*address, local_addr=(self._source, 0))
        return self

    def send(self, data):
        self.writer.write(data)

    async def prove(self):
        self.send(self.tag.hello(0.0))
        self.tag.receive(await self.reader.readuntil(b"\0"))  # a line begins with a zero
        self.tag.receive(await self.reader.readuntil(b"\0"))
        self.send(self.tag.reply(0.0))

    async def is_hung_up(self):
        try:
            async with asyncio.timeout(10):
                while await self.reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        return True

    def hang_up(self):
        self.writer.transport.abort()


class Ingress(StationBench):
    """A station behind a `tcp:` link, and whoever calls it."""

    def __init__(self, tags):
        super().__init__(tags)
        self.callers = []

    async def call(self, tag=None, source="127.0.0.1"):
        caller = await Caller(tag, source).dial(self.link.addresses[0])
        self.callers.append(caller)
        return caller


def on_line(story, *, tags=(), host="127.0.0.1", **limits):
    async def main():
        bench = Ingress(tags)
        link = TcpLink(host, 0, bench.station, bench.drain, limits=TcpLimits(**limits))
        assert link.health.state == LinkState.CLOSED
        try:
            async with bench.running(link):
                assert link.health.state == LinkState.UP
                await story(bench, link)
        finally:
            for caller in bench.callers:
                caller.hang_up()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert link.strangers == 0
        assert link._strangers == {}

    asyncio.run(main())


def new_tags(count):
    return [HandMadeTag(f"7a90{number:04x}", SECRET[:-2] + number.to_bytes(2, "big")) for number in range(count)]


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=ipv6)])
def test_a_tag_calls_and_is_listened_to_half_a_frame_at_a_time(host):
    async def story(bench, link):
        caller = Caller(tag, host)
        bench.callers.append(await caller.dial(link.addresses[0]))
        await caller.prove()
        sealed = tag.event()
        line = tag.send(sealed)
        caller.send(line[:10])
        await asyncio.sleep(0.01)
        caller.send(line[10:])
        await until(lambda: bench.records == [sealed])
        assert link.health.connections == 1
        assert link.strangers == 0

    tag = HandMadeTag()
    on_line(story, tags=[tag], host=host)


@ipv6
def test_no_host_is_every_address_under_one_port():
    async def story(bench, link):
        assert len({port for _, port in link.addresses}) == 1
        for host in ("127.0.0.1", "::1"):
            bench.callers.append(await Caller(source=host).dial((host, link.addresses[0][1])))
        await until(lambda: link.strangers == 2)

    on_line(story, host="")


def test_a_tag_that_calls_again_has_one_line():
    async def story(bench, link):
        first = await bench.call(tag)
        await first.prove()
        await until(lambda: link.strangers == 0)
        second = await bench.call(tag)
        await second.prove()
        assert await first.is_hung_up()
        await until(lambda: link.health.connections == 1)
        sealed = tag.event()
        second.send(tag.send(sealed))
        await until(lambda: bench.records == [sealed])

    tag = HandMadeTag()
    on_line(story, tags=[tag])


def test_who_proves_nothing_is_hung_up_on_and_a_tag_is_not():
    async def story(bench, link):
        silent, dripping, proved = await bench.call(), await bench.call(), await bench.call(tag)
        await proved.prove()
        dripping.send(b"\0")
        await until(lambda: link.strangers == 2)
        bench.let_time_pass(CALLER_PROVE_WITHIN_S + 1)
        assert await silent.is_hung_up()
        assert await dripping.is_hung_up()
        await until(lambda: link.health.connections == 1)

    tag = HandMadeTag()
    on_line(story, tags=[tag])


def test_a_stranger_that_floods_is_cut_off_with_what_it_sent_bounded():
    async def story(bench, link):
        caller = await bench.call()
        caller.send(b"\x55" * 5_000_000)
        assert await caller.is_hung_up()
        assert bench.failures["flood"] == 1

    on_line(story)


def test_a_stranger_that_only_repeats_a_recording_is_cut_off():
    async def story(bench, link):
        caller = await bench.call()
        hello = HandMadeTag().hello(0.0)
        for _ in range(4096 // len(hello) + 1):
            caller.send(hello)
        assert await caller.is_hung_up()
        assert bench.failures["flood"] == 1

    on_line(story, tags=[HandMadeTag()])


def test_a_tag_may_say_more_than_a_stranger():
    async def story(bench, link):
        caller = await bench.call(tag)
        await caller.prove()
        sealed = [tag.fix() for _ in range(200)]
        for record in sealed:
            caller.send(tag.send(record))
            tag.receive(await caller.reader.readuntil(b"\0"))
            tag.receive(await caller.reader.readuntil(b"\0"))
        await until(lambda: bench.records == sealed)
        assert "flood" not in bench.failures

    tag = HandMadeTag()
    on_line(story, tags=[tag])


def test_who_does_not_read_is_cut_off_before_it_fills_our_memory():
    async def story(bench, link):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.connect(link.addresses[0])
        await until(lambda: link.health.connections == 1)
        line = next(iter(link._lines._open.values()))
        for _ in range(10_000):
            line.write(bytes(1000))
            if bench.failures.get("does_not_read"):
                break
        assert bench.failures["does_not_read"] == 1
        await until(lambda: link.health.connections == 0)
        sock.close()

    on_line(story)


def test_a_caller_that_reads_nothing_while_we_hang_up_does_not_stay(monkeypatch):
    monkeypatch.setattr(tcp_link, "_FAREWELL_S", 0.02)

    async def story(bench, link):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sock.connect(link.addresses[0])
        await until(lambda: link.health.connections == 1)
        line = next(iter(link._lines._open.values()))
        while not line._transport.get_write_buffer_size():
            line.write(bytes(30_000))
        bench.let_time_pass(CALLER_PROVE_WITHIN_S + 1)
        await until(lambda: link.health.connections == 0)
        sock.close()

    on_line(story, unsent_bytes=1_000_000_000)


def test_strangers_of_one_address_leave_room_for_those_of_others():
    async def story(bench, link):
        kept = [await bench.call() for _ in range(3)]
        await until(lambda: link.strangers == 3)
        refused = await bench.call()
        assert await refused.is_hung_up()
        assert bench.failures["too_many_of_one_address"] == 1
        other = await bench.call(tag, "127.0.0.2")
        await other.prove()
        await until(lambda: link.health.connections == 4)
        kept[0].hang_up()
        await until(lambda: link.strangers == 2)
        await bench.call()
        await until(lambda: link.strangers == 3)

    tag = HandMadeTag()
    on_line(story, tags=[tag], strangers_per_address=3)


@pytest.mark.parametrize("limits", [{"connections": 2}, {"strangers": 2}])
def test_there_is_an_end_to_how_many(limits):
    async def story(bench, link):
        for number in range(2):
            await bench.call(source=f"127.0.0.{number + 1}")
        await until(lambda: link.health.connections == 2)
        assert await (await bench.call(source="127.0.0.3")).is_hung_up()
        assert bench.failures["too_many"] == 1

    on_line(story, **limits)


def test_callers_come_in_again_when_the_system_has_files_again(monkeypatch, caplog):
    monkeypatch.setattr(tcp_link, "_ACCEPT_REST_S", 0.02)

    async def story(bench, link):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        sock = socket.socket()
        sock.setblocking(False)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            await asyncio.get_running_loop().sock_connect(sock, link.addresses[0])
            await until(lambda: bench.failures.get("EMFILE", 0) >= 3)
            assert link.health.connections == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: link.health.connections == 1)
        sock.close()

    on_line(story)
    assert caplog.text.count("takes no more callers for now") == 1
    caplog.clear()


def test_the_network_of_a_caller_is_probed():
    async def story(bench, link):
        await bench.call()
        await until(lambda: link.health.connections == 1)
        sock = next(iter(link._lines._open.values()))._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 105_000

    on_line(story)


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%lo", "fe80::/64"),
    ],
)
def test_an_ipv6_subscriber_has_many_addresses_and_counts_as_one(address, site):
    assert tcp_link._site(address) == site


def test_a_machine_without_ipv6_listens_on_what_it_has(monkeypatch):
    whole = listening_sockets._listener

    def without(family, *arguments):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return whole(family, *arguments)

    monkeypatch.setattr(listening_sockets, "_listener", without)

    async def story(bench, link):
        assert [host for host, _ in link.addresses] == ["0.0.0.0"]

    on_line(story, host="")


@asynccontextmanager
async def listening(host, port):
    bench = StationBench([])
    async with TcpLink(host, port, bench.station, bench.drain, name=f"tcp:{host}:{port}") as link:
        yield link


@pytest.mark.parametrize(
    ("host", "mend"),
    [("203.0.113.1", "0.0.0.0 or [::] is all of them"), ("no..host", "0.0.0.0 or [::] is all")],
)
def test_an_address_that_is_not_ours_is_the_users_mistake(host, mend):
    async def main():
        with pytest.raises(UserError, match="tcp:") as caught:
            async with listening(host, 0):
                pytest.fail("that is nobody's address")
        assert mend in str(caught.value)

    asyncio.run(main())


def test_a_port_that_is_taken_is_the_users_mistake():
    async def main():
        async with listening("127.0.0.1", 0) as link:
            port = link.addresses[0][1]
            with pytest.raises(UserError, match=f"tcp:127.0.0.1:{port}: another program listens there"):
                async with listening("127.0.0.1", port):
                    pytest.fail("taken")

    asyncio.run(main())


def test_a_thousand_tags_prove_themselves_among_hostile_callers():
    """The handshakes of 1,000 tags at once, and each a record, while a quarter as many callers do as they like."""
    tags = new_tags(1000)
    recorded = [tag.hello(0.0) for tag in new_tags(250)]

    async def hostile(bench, number):
        try:
            caller = await bench.call(source="127.0.0.2")
            for _ in range(3):
                caller.send((b"\0", b"\x55" * 3000, recorded[number], b"GET / HTTP/1.1\r\n\r\n")[number % 4])
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass

    async def tag(bench, tag):
        caller = await bench.call(tag)
        await caller.prove()
        caller.send(tag.send(tag.event()))
        async with asyncio.timeout(30):  # its record is acknowledged
            while not tag.link.idle:
                tag.receive(await caller.reader.readuntil(b"\0"))

    async def story(bench, link):
        async with asyncio.TaskGroup() as group:
            for number in range(250):
                group.create_task(hostile(bench, number))
            for one in tags:
                group.create_task(tag(bench, one))
        assert len(set(bench.records)) == len(bench.records) == len(tags)
        assert len(link._proved) == len(tags)
        assert link.strangers <= 250
        assert bench.failures["flood"] >= 50

    on_line(story, tags=tags, strangers=2000, strangers_per_address=1500)
