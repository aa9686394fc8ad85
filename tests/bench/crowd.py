"""How many heartbeats of 2 to 20 tags in one building are lost to each other, and how soon a silent tag is missed. Prints a table.

The tags are the firmware on CPython at its own rhythm; the station has the keys of all and judges presence with its defaults. All are as
loud as each other, which is the worst case, and nothing else is lost.
"""

import argparse
import asyncio
import hashlib
from contextlib import AsyncExitStack
from random import Random
from typing import NamedTuple

from strapline_gateway.gateway import Gateway
from strapline_gateway.station import Presence, Station
from strapline_protocol.keys import gateway_keys
from strapline_simulator.airs import FRAMES, open_ether
from strapline_simulator.bodies import ModelBody
from strapline_simulator.clock import run_virtual
from strapline_simulator.tag_node import TagNode, virtual_loop
from strapline_simulator.world.collisions import Collisions
from strapline_tag.outputs import BLE


class Row(NamedTuple):
    """One building."""

    tags: int
    sent: int
    lost: int
    longest_gap_s: float
    """Between two heartbeats of one tag that were read."""
    missed_after_s: float
    """From the moment in which one tag fell silent until the station said so."""


class _Relay:
    """Keeps the time at which the station misses a tag, and nothing else."""

    def __init__(self) -> None:
        self.missed: dict[str, float] = {}
        self.changed = asyncio.Event()

    def keep_all(self, events, slots) -> None:
        for event in events:
            if isinstance(event, Presence) and not event.present:
                self.missed.setdefault(event.tag, asyncio.get_running_loop().time())
                self.changed.set()

    def slots(self) -> dict:
        return {}

    def ask_time(self, _request) -> None: ...

    def publish_due(self) -> None: ...

    def next_deadline(self) -> None: ...


async def crowd(count: int, hours: float, seed: int) -> Row:
    """One building with so many tags; the first is silent from the end of its hours on."""
    loop = virtual_loop()
    ether = open_ether(FRAMES, lambda _a, _b: -70, lambda _a, _b: True, Random(seed), 0.0)
    collisions = ether.air.medium = Collisions(Random(f"{seed}/crowd"), lambda _sender, _listener: -70.0)
    names = [f"{0x7A900001 + number:08x}" for number in range(count)]
    secrets = [hashlib.sha256(f"{seed}/{name}".encode()).digest()[:16] for name in names]
    station = Station(
        0x6A7E0001, [gateway_keys(n, s) for n, s in zip(names, secrets, strict=True)], Random(seed).randbytes, home=True
    )
    relay, sent, heard = _Relay(), [0], dict.fromkeys(names, 0.0)
    gaps = [0.0]
    async with AsyncExitStack() as stack:
        home = ether.gateway_radio("home")
        await home.start()
        stack.push_async_callback(home.stop)
        gateway = Gateway(station, {"scanner_backend": home.scanner_backend, "client_backend": home.client_backend})
        gateway.attach(relay)
        take = station.receive_advertisement
        owner: dict[str, str] = {}

        def note(address: str, rssi: int, data: bytes, now: float) -> None:
            name = owner[address]
            if heard[name]:
                gaps.append(now - heard[name])
            heard[name] = now
            take(address, rssi, data, now)

        station.receive_advertisement = note
        await stack.enter_async_context(gateway)
        nodes = []
        for name, secret in zip(names, secrets, strict=True):
            nodes.append(await _switch_on(stack, ether, name, secret, owner, sent))
        await asyncio.sleep(hours * 3600)
        drowned, total = collisions.drowned_count, sent[0]
        nodes[0].lose_power()
        silent_at = loop.time()
        relay.missed.pop(names[0], None)
        while names[0] not in relay.missed:
            relay.changed.clear()
            await relay.changed.wait()
        return Row(count, total, drowned, max(gaps), relay.missed[names[0]] - silent_at)


async def _switch_on(stack, ether, name, secret, owner, sent) -> TagNode:
    node, loop = TagNode(ModelBody()), virtual_loop()
    radio = ether.tag_radio(
        name,
        on_link_up=lambda: node.link_up(BLE),
        on_data=lambda data: node.link_data(BLE, data),
        on_link_down=lambda: node.link_down(BLE),
    )
    await radio.start()
    stack.push_async_callback(radio.stop)

    def advertise(address: bytes, data: bytes) -> None:
        sent[0] += 1
        owner[address.hex(":").upper()] = name
        radio.advertise(address, data)

    node.on_advertise = advertise
    node.on_send = lambda bearer, data: radio.send(data) if bearer == BLE else None
    node.on_hang_up = lambda bearer: radio.disconnect() if bearer == BLE else None
    loop.add_actor(node)
    stack.callback(loop.remove_actor, node)
    node.boot(loop.time(), secret, hashlib.sha256(secret).digest()[:16], {})
    return node


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tags", type=int, nargs="*", default=[2, 5, 10, 20])
    asked = parser.parse_args()
    print("| tags | heartbeats | lost to another | share | longest gap | missed after |\n|---|---|---|---|---|---|")
    for count in asked.tags:
        row = run_virtual(crowd(count, asked.hours, asked.seed))
        share = row.lost / row.sent
        print(
            f"| {row.tags} | {row.sent} | {row.lost} | {share:.2%} | {row.longest_gap_s:.0f} s | {row.missed_after_s:.0f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
