"""Tags of other people within hearing: the tag's own program on devices that no base station here has the keys of."""

import hashlib
from contextlib import AsyncExitStack
from functools import partial

from strapline_simulator.airs import Ether
from strapline_simulator.bodies import ModelBody
from strapline_simulator.scenario import Place
from strapline_simulator.tag_node import TagNode, virtual_loop
from strapline_simulator.world.radio import RadioWorld
from strapline_simulator.world.wearer import Point
from strapline_tag.outputs import BLE

_SPREAD_M = 1.5
"""Each lives so much further away than the one before."""

_DEGREE_M = 111_195.0


def neighbour_name(number: int) -> str:
    return f"neighbour {number}"


async def move_in(
    stack: AsyncExitStack, count: int, ether: Ether, radio: RadioWorld, home: Place | None, seed: int
) -> None:
    """They advertise until the stack closes; always on `model`, whatever the tag runs on."""
    lat_deg, lon_deg = (0.0, 0.0) if home is None else (home.lat_deg, home.lon_deg)
    for number in range(count):
        here = Point(lat_deg + (2 + number * _SPREAD_M) / _DEGREE_M, lon_deg)
        radio.place(neighbour_name(number), partial(_at, here))
        await _move_in(stack, number, ether, seed)


def _at(here: Point) -> Point:
    return here


async def _move_in(stack: AsyncExitStack, number: int, ether: Ether, seed: int) -> None:
    node, loop = TagNode(ModelBody()), virtual_loop()
    radio = ether.tag_radio(
        neighbour_name(number),
        on_link_up=lambda: node.link_up(BLE),
        on_data=lambda data: node.link_data(BLE, data),
        on_link_down=lambda: node.link_down(BLE),
    )
    await radio.start()
    stack.push_async_callback(radio.stop)
    node.on_advertise = radio.advertise
    loop.add_actor(node)
    stack.callback(loop.remove_actor, node)
    draw = hashlib.sha256(f"strapline/{seed}/neighbour/{number}".encode()).digest()
    node.boot(loop.time(), draw[:16], draw[16:], {})
