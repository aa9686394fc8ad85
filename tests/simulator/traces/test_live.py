"""From a live demo: a gateway's process recorded as it runs, and the trace played into a fresh gateway and into a real broker."""

import asyncio
import signal
import subprocess
import sys

import pytest
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


@pytest.fixture
def demo(tmp_path, mosquitto_with):
    """What was recorded: (trace, the tag, its key file, the ledger of then)."""
    broker = mosquitto_with()
    tag = HandMadeTag()
    house = GatewayProcess(tmp_path / "gateway", broker.url, tag)
    out = tmp_path / "demo.pcapng"

    async def main():
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
                await until(lambda: house.status()["outbox"]["alarms"] + house.status()["outbox"]["history"] == 0)
                status, told = recorder.end()
            finally:
                recorder.close()
            assert house.end() == 0
            return told_of(centre), status, told

    try:
        ledger, status, told = asyncio.run(main())
    finally:
        house.close()
    assert status == 0, told
    return out, tag, house.state / "tags.json", ledger


def test_it_holds_both_links_and_no_key(demo):
    out, tag, _, _ = demo
    packets = list(read_trace(out))
    assert {packet.interface for packet in packets} == {"cellular", "mqtt"}
    assert out.stat().st_mode & 0o777 == 0o600
    content = out.read_bytes()
    for secret in (KEY, *tag.gateway_keys[1:4], tag.centre_keys.end_to_end):
        assert secret not in content
        assert secret.hex().encode() not in content
    assert {packet.notes["tag"] for packet in packets if packet.interface == "cellular" and "tag" in packet.notes} == {
        tag.ident
    }


def test_its_tag_calls_a_fresh_gateway_and_the_ledger_is_the_same(demo, tmp_path, mosquitto_with):
    out, tag, keys, ledger = demo
    broker = mosquitto_with()
    fresh = GatewayProcess(tmp_path / "fresh", broker.url, tag)

    async def main():
        async with centre_behind(broker.url, tag) as centre:
            fresh.start()
            to = f"tcp:127.0.0.1:{await fresh.port()}"
            asked = (
                "replay",
                out,
                "--to",
                to,
                "--key",
                keys,
                "--rate",
                0,
                "--verify",
                "records",
                "--broker",
                broker.url,
            )
            said = await asyncio.to_thread(run, *asked)
            await until(lambda: len(told_of(centre)) == len(ledger))
            return told_of(centre), said

    try:
        again, (status, said) = asyncio.run(main())
    finally:
        fresh.close()
    assert status == 0, said
    assert "verified: 4 of 4 records were published by the gateway" in said
    assert again == ledger


def test_its_publications_reach_a_centre_behind_a_real_broker_and_the_ledger_is_the_same(demo, mosquitto_with):
    out, tag, _, ledger = demo
    broker = mosquitto_with()

    async def main():
        async with centre_behind(broker.url, tag) as centre:
            said = await asyncio.to_thread(run, "replay", out, "--to", broker.url, "--rate", 0, "--verify", "receipts")
            return told_of(centre), said

    again, (status, said) = asyncio.run(main())
    assert status == 0, said
    assert again == ledger
