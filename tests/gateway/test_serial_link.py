"""The `serial:` link on real ptys."""

import asyncio
import logging
import os
import pty
import tty
from contextlib import suppress
from pathlib import Path

import pytest
import serial

from hand_made_tag import HandMadeTag
from station_bench import StationBench, until
from strapline_gateway import serial_port
from strapline_gateway.health import LinkState
from strapline_gateway.serial_link import SerialLink
from strapline_gateway.station import CALLER_PROVE_WITHIN_S

_REOPEN_S = 0.02


class Plug:
    """A pty under a name that stays, as a USB adapter's does by-id: it can be pulled out and put in again."""

    def __init__(self, folder):
        self.path = str(folder / "board")
        self._near = None

    def put_in(self):
        self._near, far = pty.openpty()
        tty.setraw(far)
        os.set_blocking(self._near, False)
        Path(self.path).symlink_to(os.ttyname(far))
        self._far = far

    def pull_out(self):
        if self._near is not None:
            Path(self.path).unlink()
            os.close(self._far)
            os.close(self._near)
            self._near = None

    def send(self, data):
        os.write(self._near, data)

    async def take(self):
        data = b""
        async with asyncio.timeout(10):
            while not data.endswith(b"\0"):
                with suppress(BlockingIOError):
                    data += os.read(self._near, 4096)
                await asyncio.sleep(0.005)
        return data

    async def greet(self, tag):
        self.send(tag.hello(0.0))
        tag.receive(await self.take())
        self.send(tag.reply(0.0))


@pytest.fixture
def plug(tmp_path):
    plug = Plug(tmp_path)
    yield plug
    plug.pull_out()


def on_wire(story, plug, *, put_in=True):
    async def main():
        tag = HandMadeTag()
        bench = StationBench([tag])
        if put_in:
            plug.put_in()
        link = SerialLink(plug.path, 115_200, bench.station, bench.drain, name="serial:board", reopen_s=_REOPEN_S)
        assert link.health.state == LinkState.CLOSED
        async with bench.running(link):
            await story(bench, link, tag)
        assert link.health.state == LinkState.CLOSED
        assert link.health.connections == 0

    asyncio.run(main())


def test_a_tag_on_a_wire_is_served_byte_by_byte_between_what_it_prints(plug, caplog):
    caplog.set_level(logging.INFO)

    async def story(bench, link, tag):
        plug.send(b"boot: strap ok\r\n")
        await plug.greet(tag)
        sealed = tag.event()
        for byte in b"measuring\n" + tag.send(sealed)[:-1]:
            plug.send(bytes((byte,)))
        plug.send(b"\0done\n")
        await until(lambda: bench.records == [sealed] and "done" in caplog.text)
        assert link.health.state == LinkState.UP
        assert link.health.connections == 1

    on_wire(story, plug)
    said = [message for message in caplog.messages if "says" in message]
    assert said == [f"serial:board says: {text}" for text in ("boot: strap ok", "measuring", "done")]


def test_a_board_that_only_prints_is_no_caller(plug, caplog):
    caplog.set_level(logging.INFO)

    async def story(bench, link, _tag):
        plug.send(b"hello\n" * 3)
        await until(lambda: caplog.text.count("hello") == 3)
        assert link.health.connections == 0

    on_wire(story, plug)


def test_a_port_that_is_absent_is_told_once_and_taken_when_it_is_there(plug, caplog):
    async def story(bench, link, tag):
        await until(lambda: bench.failures.get("ENOENT", 0) >= 3)
        assert link.health.state == LinkState.DOWN
        plug.put_in()
        await until(lambda: link.health.state == LinkState.UP)
        await plug.greet(tag)
        await until(lambda: bench.station.tag_of(1) == tag.ident)

    on_wire(story, plug, put_in=False)
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "serial:board: there is no such port; plug it in" in warnings[0]


def test_unplugged_in_mid_frame_and_back(plug, caplog):
    async def story(bench, link, tag):
        await plug.greet(tag)
        first, second = tag.event(), tag.event()
        plug.send(tag.send(first))
        await until(lambda: bench.records == [first])
        plug.send(tag.send(second)[:20])
        plug.pull_out()
        await until(lambda: link.health.connections == 0)
        assert link.health.state == LinkState.DOWN
        plug.put_in()
        await until(lambda: link.health.state == LinkState.UP)
        await plug.greet(tag)
        plug.send(tag.send(second))
        await until(lambda: bench.records == [first, second])
        assert link.health.restarts == 1

    on_wire(story, plug)


def test_a_line_that_is_hung_up_begins_anew_with_the_next_frame(plug):
    async def story(bench, link, tag):
        plug.send(tag.hello(0.0))
        await plug.take()
        bench.let_time_pass(CALLER_PROVE_WITHIN_S + 1)
        await until(lambda: link.health.connections == 0)
        assert link.health.state == LinkState.UP
        await plug.greet(tag)
        await until(lambda: bench.station.tag_of(2) == tag.ident)

    on_wire(story, plug)


def test_a_port_that_takes_nothing_is_given_up_and_opened_again(plug, monkeypatch, caplog):
    monkeypatch.setattr(serial_port, "WRITE_LIMIT_S", 0.05)

    async def story(bench, link, tag):
        await plug.greet(tag)
        await until(lambda: bench.station.tag_of(1) == tag.ident)
        link.write(bytes(60_000))  # more than a pty holds, and nobody reads it
        await until(lambda: bench.failures.get("takes_nothing"))
        await until(lambda: link.health.restarts == 1 and link.health.state == LinkState.UP)
        link.write(bytes(serial_port.UNSENT_LIMIT + 100_000))
        await until(lambda: bench.failures.get("takes_nothing") == 2)

    on_wire(story, plug)
    assert "takes_nothing" in caplog.text


def test_a_busy_port_is_told_clearly_and_taken_when_it_is_free(plug, caplog):
    async def story(bench, link, tag):
        await until(lambda: bench.failures)
        assert "another program has it open; end that program" in caplog.text
        other.close()
        await until(lambda: link.health.state == LinkState.UP)

    plug.put_in()
    with serial.Serial(plug.path, exclusive=True) as other:
        on_wire(story, plug, put_in=False)


def test_what_is_no_serial_port_is_told(tmp_path, caplog):
    async def main():
        (tmp_path / "file").write_bytes(b"")
        bench = StationBench([])
        link = SerialLink(str(tmp_path / "file"), 115_200, bench.station, bench.drain, reopen_s=_REOPEN_S)
        async with bench.running(link):
            assert link.health.state == LinkState.DOWN

    asyncio.run(main())
    assert "it cannot be opened" in caplog.text
