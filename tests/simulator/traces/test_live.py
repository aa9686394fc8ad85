"""From a live demo: a gateway's process recorded as it runs, and the trace played into a fresh gateway and into a real broker."""

import asyncio
import signal
import subprocess
import sys

from typer.testing import CliRunner

from gateway_process import KEY, GatewayProcess, calling, centre_behind, until
from hand_made_tag import HandMadeTag
from strapline_simulator.trace import read_trace
from strapline_simulator.traces.command import trace as app
from strapline_wire import frames


def run(*arguments):
    """A subcommand on a thread of its own, so that it may have a loop: (exit status, what it printed)."""
    told = CliRunner().invoke(app, [str(one) for one in arguments])
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.output


def told_of(centre):
    """The ledger, without what is of the moment: when it came, and what the gateway says of itself."""
    return {
        (entry.source, entry.journal, entry.sequence): (entry.kind, entry.content, entry.sealed)
        for entry in centre.ledger.entries()
        if entry.source == HandMadeTag().ident and entry.sealed
    }


class Recorder:
    """`strapline trace record` as a process."""

    def __init__(self, house, out, *more):
        command = [sys.executable, "-c", "from strapline_protocol.command import main; main()", "trace", "record"]
        self.process = subprocess.Popen(
            [*command, "--config", house.config, "--out", out, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.out = out

    async def ready(self):
        await until(lambda: self.out.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stdout.read()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        told, _ = self.process.communicate(timeout=20)
        return self.process.returncode, told.decode()

    def close(self):
        self.process.kill()
        self.process.communicate()


async def recorded(house, broker, tag, out):
    """A live demo with two calls of a tag: (the ledger, exit status of the recorder, what it printed)."""
    async with centre_behind(broker.url, tag) as centre:
        house.start()
        port = await house.port()
        recorder = Recorder(house, out)
        try:
            await recorder.ready()
            async with calling(port, tag) as call:
                for code in (frames.EVENT_BEACON, frames.EVENT_STRAP_OPEN):
                    call.send(tag.event(code))
                call.send(tag.fix())
                await call.receipt()
                await until(lambda: len(told_of(centre)) == 3)
            async with calling(port, tag) as call:
                call.send(tag.event(frames.EVENT_STRAP_CLOSED))
                await call.receipt()
            await until(lambda: house.waiting("event") + house.waiting("position") == 0)
            status, told = recorder.end()
        finally:
            recorder.close()
        assert house.end() == 0
        return told_of(centre), status, told


async def into_gateway(fresh, broker, tag, count, *asked):
    """The tag's calls again, to a gateway that has never heard of it: (the ledger, exit status, what was printed)."""
    async with centre_behind(broker.url, tag) as centre:
        fresh.start()
        to = f"tcp:127.0.0.1:{await fresh.port()}"
        status, told = await asyncio.to_thread(run, *asked, "--to", to, "--verify", "records", "--broker", broker.url)
        await until(lambda: len(told_of(centre)) == count)
        return told_of(centre), status, told


async def into_broker(broker, tag, *asked):
    """The gateway's publications again, to a centre that has never heard them."""
    async with centre_behind(broker.url, tag) as centre:
        status, told = await asyncio.to_thread(run, *asked, "--to", broker.url, "--verify", "receipts")
        return told_of(centre), status, told


def test_a_recorded_demo_gives_the_same_ledger_again_through_a_fresh_gateway_and_through_a_broker(
    tmp_path, mosquitto_with
):
    brokers, tag, out = [mosquitto_with() for _ in range(3)], HandMadeTag(), tmp_path / "demo.pcapng"
    house, fresh = (
        GatewayProcess(tmp_path / name, broker.url, tag)
        for name, broker in zip(("live", "fresh"), brokers, strict=False)
    )
    try:
        ledger, status, told = asyncio.run(recorded(house, brokers[0], tag, out))
        assert (status, len(ledger)) == (0, 4), told
        asked = ("replay", out, "--rate", 0)
        again, status, told = asyncio.run(
            into_gateway(fresh, brokers[1], tag, 4, *asked, "--key", house.state / "tags.json")
        )
        assert (status, again) == (0, ledger), told
        assert "verified: 4 of 4 records were published by the gateway" in told
    finally:
        house.close()
        fresh.close()
    again, status, told = asyncio.run(into_broker(brokers[2], tag, *asked))
    assert (status, again) == (0, ledger), told
    look_at(out, tag)


def look_at(out, tag):
    """Both links are in it, and no key."""
    packets = list(read_trace(out))
    assert {packet.interface for packet in packets} == {"cellular", "mqtt"}
    assert {packet.notes.get("tag") for packet in packets if packet.interface == "cellular"} == {None, tag.ident}
    assert out.stat().st_mode & 0o777 == 0o600
    content = out.read_bytes()
    for secret in (KEY, *tag.gateway_keys[1:4], tag.centre_keys.end_to_end):
        assert secret not in content
        assert secret.hex().encode() not in content
