"""Simulated tags against a gateway's real process, a real serial port, a real broker and the reference centre."""

import asyncio
import json
import os
import pty
import tty
from typing import NamedTuple

import pytest

from gateway_process import GatewayProcess, centre_behind, until
from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.station import Station
from strapline_gateway.transports import open_links
from strapline_protocol.command import main
from strapline_protocol.keys import CentreKeys, GatewayKeys, centre_keys, gateway_keys
from strapline_protocol.mqtt import PahoClient
from strapline_simulator.simulate.identities import gateways_in, tags_in
from strapline_simulator.simulate.running import Request, Simulation
from strapline_simulator.simulate.ways import Target

GATEWAY, KEY = "6a7e0001", bytes(range(32))


class Shares(NamedTuple):
    gateway_keys: GatewayKeys
    centre_keys: CentreKeys


def shares(folder, count):
    made = tags_in(folder, count, begin=False)
    return [Shares(gateway_keys(one.tag, one.secret), centre_keys(one.tag, one.secret)) for one in made]


async def simulate(target, folder, tags, **more):
    said = []
    request = Request(tags, 1.0, Target(target), folder, for_s=more.pop("for_s", 1.5), **more)
    return await Simulation(request, said.append).run(), said


def test_every_record_that_reaches_a_gateway_process_comes_back_receipted(tmp_path, mosquitto):
    tags = shares(tmp_path / "keys", 3)
    process = GatewayProcess(tmp_path / "gateway", mosquitto.url, *tags)

    async def run():
        async with centre_behind(mosquitto.url, *tags) as centre:
            process.start()
            port = await process.port()
            await process.logged("connected with the broker")
            summary, said = await simulate(f"tcp://127.0.0.1:{port}", tmp_path / "keys", 3)
            at_centre = [entry for entry in centre.ledger.entries() if entry.kind in ("event", "fix")]
            return summary, said, at_centre

    try:
        summary, said, at_centre = asyncio.run(run())
    finally:
        process.close()
    assert summary["passed"], summary
    assert summary["made"] == summary["sent"] == summary["acknowledged"] <= len(at_centre)
    assert summary["acknowledged"] >= 6  # each tag's start, and a sign of life or two
    assert summary["waiting"] == summary["missing"] == summary["sent_again"] == 0
    assert 0 < summary["p50_s"] <= summary["p99_s"]
    assert {entry.source for entry in at_centre} == {tag.centre_keys.tag for tag in tags}
    assert "3 connected" in said[-1].line


def test_what_nobody_answers_is_told_as_lost(tmp_path):
    async def run():
        taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        async with taken:
            port = taken.sockets[0].getsockname()[1]
            return await simulate(f"tcp://127.0.0.1:{port}", tmp_path, 2, for_s=0.5, grace_s=0.2)

    summary, _ = asyncio.run(run())
    assert not summary["passed"]
    assert summary["acknowledged"] == summary["sent"] == 0
    assert summary["waiting"] == summary["made"] >= 1
    assert summary["connections"] >= 1


def test_gateways_of_its_own_publish_to_somebodys_broker(tmp_path, mosquitto):
    folder = tmp_path / "keys"
    tags = shares(folder, 2)
    ((ident, key),) = gateways_in(folder, 1).items()

    async def run():
        async with centre_behind(mosquitto.url, *tags, key=key, gateway=ident) as centre:
            summary, _ = await simulate(mosquitto.url, folder, 2, for_s=3.5)
            return summary, centre.ledger.duplicates

    summary, duplicates = asyncio.run(run())
    assert summary["passed"], summary
    house = summary["gateways"][ident]
    assert house["copies"] == duplicates == 0
    assert house["receipted"] >= summary["acknowledged"] >= 4


def test_one_tag_on_a_wire_to_a_serial_link(tmp_path, mosquitto):
    """Two ptys and a wire between them: a port each for the tag and for the gateway."""
    (tag,) = shares(tmp_path / "keys", 1)

    async def run():
        with _Wire() as wire:
            loop = asyncio.get_running_loop()
            station = Station(int(GATEWAY, 16), [tag.gateway_keys], os.urandom, home=False, now=loop.time())
            gateway, outbox = Gateway(station, None), Outbox(":memory:")
            gateway.add_links(open_links([f"serial:{wire.ports[0]}"], station, gateway.drain_soon, gateway.tell))
            will = state_will(GATEWAY, KEY, utc_now(), outbox.start)
            client = PahoClient(mosquitto.url, f"strapline-{GATEWAY}", subscriptions(GATEWAY), will)
            relay = Relay(
                GATEWAY,
                KEY,
                outbox,
                client,
                utc=utc_now,
                clock=loop.time,
                on_command=gateway.command,
                entropy=os.urandom,
            )
            gateway.attach(relay)
            await client.connect(relay)
            try:
                async with centre_behind(mosquitto.url, tag), gateway:
                    summary, _ = await simulate(f"serial:{wire.ports[1]}", tmp_path / "keys", 1)
            finally:
                await client.close()
                outbox.close()
            return summary

    summary = asyncio.run(run())
    assert summary["passed"], summary
    assert summary["acknowledged"] >= 2


class _Wire:
    def __enter__(self):
        self._open = [pty.openpty(), pty.openpty()]
        for _, end in self._open:
            tty.setraw(end)
        self.ports = [os.ttyname(end) for _, end in self._open]
        (one, _), (other, _) = self._open
        loop = self._loop = asyncio.get_running_loop()
        loop.add_reader(one, lambda: os.write(other, os.read(one, 4096)))
        loop.add_reader(other, lambda: os.write(one, os.read(other, 4096)))
        return self

    def __exit__(self, *_):
        for near, end in self._open:
            self._loop.remove_reader(near)
            os.close(near)
            os.close(end)


def test_an_interrupt_ends_it_and_a_second_one_does_not_wait(tmp_path):
    async def run():
        request = Request(1, 1.0, Target("tcp://127.0.0.1:1"), tmp_path)
        simulation = Simulation(request, lambda _status: None)
        running = asyncio.create_task(simulation.run())
        await until(lambda: simulation._tags)
        simulation.end()
        simulation.end()
        return await running

    summary = asyncio.run(run())
    assert not summary["passed"]
    assert summary["waiting"] == summary["made"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "http://x"], "--to http://x: write mqtt://HOST:PORT, tcp://HOST:PORT or serial:PORT"),
        (["--to", "tcp://host"], "names no port"),
        (["--to", "serial:/dev/ttyX", "--tags", "2"], "one port is one tag's wire"),
        (["--to", "tcp://127.0.0.1:1", "--for", "soon"], "--for soon: write a length such as 60s"),
        (["--to", "tcp://127.0.0.1:1", "--on", "serial:/dev/x"], "runs the firmware on model or micropython"),
    ],
)
def test_mistakes_are_one_line(arguments, said, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["simulate", *arguments])
    assert left.value.code == 2
    err = capfd.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_the_command_makes_keys_and_tells_json(capfd, tmp_path):
    keys = str(tmp_path / "keys")
    with pytest.raises(SystemExit) as left:
        main(["simulate", "--to", "mqtt://127.0.0.1:1", "--tags", "2", "--keys", keys, "--only-keys"])
    assert left.value.code == 0
    out = capfd.readouterr().out
    assert f"strapline gateway enrol {keys}/gateway-keys.json" in out
    assert f"{keys}/link-6a5a0001.key" in out
    with pytest.raises(SystemExit) as left:
        main(["simulate", "--to", "tcp://127.0.0.1:1", "--keys", keys, "--for", "0.1s", "--grace", "0s", "--json", "-"])
    assert left.value.code == 1
    summary = json.loads(capfd.readouterr().out)
    assert (summary["simulated"], summary["passed"]) == (True, False)
