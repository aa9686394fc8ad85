"""A desk without hardware: real ports (ptys), a real Bluetooth adapter (a stand-in `org.bluez`), a tag that runs by itself.

To whatever drives the rig this is a rig. Behind it: the product build on the virtual board in real time, its radio on a simulated air,
and fake instruments that act on its wires. Linux only.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from random import Random
from typing import Self

from ruamel.yaml import YAML

from strapline_hil.instruments.fakes.gnss import FakeGnssUart
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.fakes.pty_fake import PtyFake
from strapline_hil.instruments.fakes.scpi import FakeScpi
from strapline_hil.rig.real.dut import KEY_FILE
from strapline_hil.rig.real.loop import LoopThread
from strapline_protocol.keyring import successor
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.ble import Air, TagRadio
from strapline_simulator.bluez.bus import PrivateBus
from strapline_simulator.bluez.faults import Faults
from strapline_simulator.bluez.service import BluezService
from strapline_simulator.board.body import VirtualBoard
from strapline_simulator.board.wiring import Wiring
from strapline_simulator.real_time import WORN, LiveNode
from strapline_simulator.world.battery import percent_at
from strapline_tag.outputs import BLE

_OPEN, _BYPASS, _LENGTHEN = 1, 2, 3
_CONTACTS = {4: "case_open", 5: "charging", 6: "immersed", 7: "button"}
_LOOPS = {"closed": 1000, "bypass": 180, "lengthen": 2500}
_OPEN_OHM = 1_000_000
_TAG = "7a900b1e"


class StandInTag:
    """The product build on the virtual board, with power or without. All of it happens on one loop."""

    def __init__(self, air: Air, secret: bytes, settings: Mapping[str, int], program: Path | None = None) -> None:
        self.board = VirtualBoard(program)
        self.node = LiveNode(self.board)
        self._secret, self._settings = secret, settings
        self._radio = TagRadio(
            _TAG,
            air,
            on_link_up=lambda: self.node.link_up(BLE),
            on_data=lambda data: self.node.link_data(BLE, data),
            on_link_down=lambda: self.node.link_down(BLE),
        )

    async def __aenter__(self) -> Self:
        node, radio = self.node, self._radio
        await radio.start()
        node.on_advertise = radio.advertise
        node.on_send = lambda _bearer, data: radio.send(data)
        node.on_hang_up = lambda _bearer: radio.disconnect()
        for sensor, value in WORN.items():
            self.board.wiring.sense(sensor, value)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.power(0)
        self.node.disarm()
        await self._radio.stop()
        self.board.close()

    def power(self, milli_v: int) -> None:
        """What its supply gives from now on."""
        if not milli_v and self.node.has_power:
            self.node.lose_power()
            self.node.disarm()
            self._radio.disconnect()
        elif milli_v:
            self.touch(lambda wiring: _charge(wiring, milli_v))
            if not self.node.has_power:
                now = asyncio.get_running_loop().time()
                self.node.boot(now, self._secret, secrets.token_bytes(16), self._settings)

    def touch(self, deed: Callable[[Wiring], object]) -> None:
        """Something is done to its wires."""
        self.node.touch()
        deed(self.board.wiring)
        self.node.touch()


class StandInDesk:
    """Use as a context manager. `rig` is the rig file; `environment` is for whoever opens it: there is the adapter."""

    def __init__(self, folder: Path, settings: Mapping[str, int] | None = None, program: Path | None = None) -> None:
        """`folder` takes the rig file and the tag's keys, made for this desk; `settings` are the tag's."""
        self.rig = folder / "desk.yaml"
        self.environment: dict[str, str] = {}
        self._folder = folder
        self._key_file = folder.resolve() / KEY_FILE
        self._settings = dict(settings or {})
        self._program = program
        self._secret = secrets.token_bytes(16)
        self._loop = LoopThread()
        self._world = AsyncExitStack()
        self._ports = ExitStack()
        self._loops = {_BYPASS: False, _LENGTHEN: False}
        self._is_open = False
        self.tag: StandInTag
        self.fakes: dict[str, PtyFake] = {}
        """The instruments, by resource or role: what is wrong with one is put into its `faults`."""

    def __enter__(self) -> Self:
        try:
            self._write_keys()
            self._loop.run(self._open())
            self._plug_in()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        self._ports.close()
        self._loop.end(self._world.aclose)

    def person(self, _text: str) -> None:
        """Who is asked to hold the electronic key to the tag, and does."""
        self._hold_key()

    def hold_keys(self, over: Callable[[], bool]) -> None:
        """Each key that lies there for a person is held to the tag, until `over`, which takes its time, says so."""
        held = False
        while not over():
            there = self._key_file.exists()
            if there and not held:
                self._hold_key()
            held = there

    def _hold_key(self) -> None:
        sealed = self._key_file.read_bytes()
        self._touch(lambda wiring: wiring.key.hold(sealed))

    async def _open(self) -> None:
        air = Air(lambda _sender, _receiver: -60, Random())
        bus = await self._world.enter_async_context(PrivateBus())
        faults = Faults(disconnect_delay_s=0.1, kernel_scan_s=1.0)
        await self._world.enter_async_context(BluezService(bus.address, air, faults))
        self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
        self.tag = StandInTag(air, self._secret, self._settings, self._program)
        await self._world.enter_async_context(self.tag)

    def _plug_in(self) -> None:
        made = {
            "relays": FakeLcus(self._switched, channels=8),
            "supply": FakeScpi(self._powered),
            "gnss": FakeGnssUart(lambda data: self._touch(lambda wiring: wiring.gnss.epoch(data))),
        }
        for name, fake in made.items():
            self.fakes[name] = self._ports.enter_context(fake)
        ports = {name: fake.port for name, fake in made.items()}
        with self.rig.open("w", encoding="utf-8") as file:
            YAML().dump(self._rig(ports), file)

    def _rig(self, ports: Mapping[str, str]) -> dict[str, object]:
        return {
            "rig": "a desk without hardware",
            "target": {"board": "pico-w", "port": "none", "keys": ".", "settings": self._settings},
            "gateway": {"bluetooth": "hci0"},
            "resources": {"relays": {"driver": "lcus-relay", "port": ports["relays"], "channels": 8}},
            "instruments": {
                "strap": {
                    "driver": "strap-relay",
                    "on": "relays",
                    "channels": {"open": _OPEN, "bypass": _BYPASS, "lengthen": _LENGTHEN},
                    "loops": _LOOPS,
                },
                "contacts": {
                    "driver": "contacts",
                    "on": "relays",
                    "channels": {name: channel for channel, name in _CONTACTS.items()},
                },
                "gnss": {"driver": "gnss-injector", "port": ports["gnss"], "baudrate": 9600, "loopback": True},
                "supply": {"driver": "scpi-supply", "port": ports["supply"]},
                "sniffer": {"driver": "sniffer", "adapter": "hci0"},
                "hand": {"driver": "by-hand"},
            },
        }

    def _write_keys(self) -> None:
        with successor(self._folder / "gateway-keys.json", [gateway_keys(_TAG, self._secret)]) as put:
            put()
        with successor(self._folder / "centre-keys.json", [centre_keys(_TAG, self._secret)]) as put:
            put()

    # What instruments do; each in its own thread.

    def _switched(self, channel: int, on: bool) -> None:
        if channel == _OPEN:
            self._is_open = on
        elif channel in self._loops:
            self._loops[channel] = on
        else:
            self._touch(lambda wiring: _contact(wiring, _CONTACTS[channel], on))
            return
        ohm = _OPEN_OHM if self._is_open else self._ohm()
        self._touch(lambda wiring: _strap(wiring, ohm, is_open=self._is_open))

    def _ohm(self) -> int:
        loop = "bypass" if self._loops[_BYPASS] else "lengthen" if self._loops[_LENGTHEN] else "closed"
        return _LOOPS[loop]

    def _powered(self, milli_v: int, _on: bool) -> None:
        self._on_loop(lambda: self.tag.power(milli_v))

    def _touch(self, deed: Callable[[Wiring], object]) -> None:
        self._on_loop(lambda: self.tag.touch(deed))

    def _on_loop(self, deed: Callable[[], None]) -> None:
        async def done() -> None:
            deed()

        self._loop.run(done())


def _strap(wiring: Wiring, ohm: int, *, is_open: bool) -> None:
    wiring.sense("strap_ohm", ohm)
    wiring.strap_edge(is_open=is_open)


def _contact(wiring: Wiring, name: str, on: bool) -> None:
    if name == "button":
        wiring.button(pressed=on)
    else:
        wiring.sense(name, int(on))


def _charge(wiring: Wiring, milli_v: int) -> None:
    wiring.sense("battery_mv", milli_v)
    wiring.sense("battery_percent", percent_at(milli_v))
