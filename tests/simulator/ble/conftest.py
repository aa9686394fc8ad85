"""A bench: tags and gateways on one air, with distances that a test may change."""

import asyncio
import logging
from random import Random
from typing import ClassVar

import pytest
from bleak import BleakClient, BleakScanner

from strapline_simulator import frame_air
from strapline_simulator.ble import Air, GatewayRadio, TagRadio

ADDRESS = bytes.fromhex("c0a1a2a3a4a5")


class Tag:
    def __init__(self, name, air, make=TagRadio):
        self.radio = make(
            name,
            air,
            on_link_up=lambda: self._note("up"),
            on_data=self._on_data,
            on_link_down=lambda: self._note("down"),
        )
        self.events = []
        self.received = []
        self.answer = None

    @property
    def is_connected(self):
        radio = self.radio
        return bool(radio._radio.device.connections) if isinstance(radio, TagRadio) else radio.is_connected

    async def beacon(self, count, interval=0.1, address=ADDRESS, service_data=bytes(24)):
        for _ in range(count):
            self.radio.advertise(address, service_data)
            await asyncio.sleep(interval)

    def _note(self, what):
        self.events.append((round(asyncio.get_running_loop().time(), 3), what))

    def _on_data(self, data):
        self.received.append(data)
        if self.answer is not None:
            self.radio.send(self.answer(data))


class Gateway:
    def __init__(self, name, air, make=GatewayRadio):
        self.radio = make(name, air)
        self.heard = []
        self.lost = []

    def scanner(self, **options):
        return BleakScanner(
            lambda device, data: self.heard.append((device, data)), backend=self.radio.scanner_backend, **options
        )

    async def find(self, address=ADDRESS):
        """The BLEDevice of an address, from a scan of its own; TimeoutError after ten seconds."""
        text = address.hex(":").upper()
        device = await BleakScanner.find_device_by_address(text, backend=self.radio.scanner_backend)
        if device is None:
            raise TimeoutError(text)
        return device

    def client(self, device, timeout=5.0, **options):
        def on_lost(_client):
            self.lost.append(round(asyncio.get_running_loop().time(), 3))

        return BleakClient(device, on_lost, backend=self.radio.client_backend, timeout=timeout, **options)


class Bench:
    """Every pair of nodes hears each other at -60 dBm unless `dbm` says otherwise."""

    KINDS: ClassVar = {
        "ble": (Air, TagRadio, GatewayRadio),
        "frames": (frame_air.FrameAir, frame_air.FrameTagRadio, frame_air.FrameGatewayRadio),
    }

    def __init__(self, kind="ble"):
        self.dbm = {}
        air, self._tag_radio, self._gateway_radio = self.KINDS[kind]
        self.air = air(lambda sender, receiver: self.dbm.get((sender, receiver), -60), Random(7))
        self.steps_to_connect = 60 if kind == "ble" else 4
        """Turns of the loop from an advertisement to the end of the discovery, about."""
        self._radios = []

    async def tag(self, name="tag"):
        tag = Tag(name, self.air, self._tag_radio)
        await self._start(tag.radio)
        return tag

    async def gateway(self, name="gateway"):
        gateway = Gateway(name, self.air, self._gateway_radio)
        await self._start(gateway.radio)
        return gateway

    async def connected(self, tag, gateway, **options):
        """A client that has been connected by the tag's beacons, which end with it."""
        beacons = asyncio.create_task(tag.beacon(100))
        client = gateway.client(await gateway.find(), **options)
        await client.connect()
        beacons.cancel()
        await asyncio.wait([beacons])
        return client

    async def _start(self, radio):
        await radio.start()
        self._radios.append(radio)

    async def stop(self):
        for radio in self._radios:
            await radio.stop()


@pytest.fixture(params=["ble", "frames"])
def bench(request):
    """On either air: what a gateway and a tag may rely on is the same."""
    return Bench(request.param)


@pytest.fixture
def whole_bench():
    """On the air that carries whole stacks, for what only they have."""
    return Bench()


@pytest.fixture(autouse=True)
def _nothing_complains(caplog):
    """A callback or a task that failed, and whatever bumble finds odd, shows in the log only."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING] == []
