"""The sniffer on both simulated airs, through unmodified bleak, and what it makes of an adapter that is not there."""

import asyncio
from random import Random

import pytest
from bleak import BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError

from strapline_hil.instruments.protocols import Heard
from strapline_hil.instruments.sniffer import Sniffer, intervals
from strapline_hil.verdict import RigError, SurroundingsError
from strapline_simulator import frame_air
from strapline_simulator.ble import Air, GatewayRadio, TagRadio
from strapline_simulator.clock import run_virtual

ADDRESS, OTHER = bytes.fromhex("c0a1a2a3a4a5"), bytes.fromhex("d0a1a2a3a4a5")
KINDS = {
    "ble": (Air, TagRadio, GatewayRadio),
    "frames": (frame_air.FrameAir, frame_air.FrameTagRadio, frame_air.FrameGatewayRadio),
}


def nothing(*_):
    pass


async def sniff(kind, advertise, **options):
    make_air, make_tag, make_gateway = KINDS[kind]
    air = make_air(lambda _sender, _receiver: -60, Random(7))
    tag = make_tag("tag", air, on_link_up=nothing, on_data=nothing, on_link_down=nothing)
    adapter = make_gateway("sniffer", air)
    await tag.start()
    await adapter.start()
    sniffer = Sniffer(
        lambda heard: BleakScanner(heard, backend=adapter.scanner_backend),
        clock=asyncio.get_running_loop().time,
        **options,
    )
    await sniffer.start()
    await sniffer.start()
    await advertise(tag)
    await sniffer.stop()
    await sniffer.stop()
    heard = sniffer.heard()
    assert sniffer.heard() == []
    await adapter.stop()
    await tag.stop()
    return heard


@pytest.mark.parametrize("kind", KINDS)
def test_it_hears_what_the_tag_advertises_and_when(kind):
    async def advertise(tag):
        for count in range(10):
            tag.advertise(ADDRESS, bytes([count]) * 24)
            await asyncio.sleep(2.0 if count == 4 else 1.0)

    heard = run_virtual(sniff(kind, advertise))
    assert [one.data for one in heard] == [bytes([count]) * 24 for count in range(10)]
    assert {(one.address, one.rssi_dbm) for one in heard} == {("C0:A1:A2:A3:A4:A5", -60)}
    found = intervals(heard)
    assert found.pauses == 9
    assert found.median_s == pytest.approx(1.0, abs=0.01)
    assert found.p90_s == found.longest_s == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_other_peoples_advertisements_are_left_out(kind):
    async def advertise(tag):
        tag.advertise(ADDRESS, b"mine" * 6)
        await asyncio.sleep(1)
        tag.advertise(OTHER, b"your" * 6)
        await asyncio.sleep(1)

    heard = run_virtual(sniff(kind, advertise, is_tags=lambda data: data.startswith(b"mine")))
    assert [one.data for one in heard] == [b"mine" * 6]
    assert run_virtual(sniff(kind, advertise, uuid16=0x1234)) == []


def at(*times):
    return [Heard(time, "C0", -60, b"") for time in times]


def test_pauses_are_between_what_was_heard_and_the_end_of_listening():
    assert intervals(at()) is None
    assert intervals(at(1.0)) is None
    assert intervals(at(1.0, 3.0)) == (1, 2.0, 2.0, 2.0)
    assert intervals(at(*range(11))) == (10, 1.0, 1.0, 1.0)
    assert intervals(at(*range(11)), until_s=40.0) == (11, 1.0, 1.0, 30.0)
    assert intervals(at(0, 1, 2, 3, 4, 5, 6, 7, 8, 18, 38)) == (10, 1.0, 20.0, 20.0)


class Broken:
    def __init__(self, error):
        self._error = error

    async def start(self):
        raise self._error

    async def stop(self):
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            BleakBluetoothNotAvailableError("No adapters", BleakBluetoothNotAvailableReason.NO_BLUETOOTH),
            RigError,
            "no Bluetooth adapter",
        ),
        (
            BleakBluetoothNotAvailableError("It is off", BleakBluetoothNotAvailableReason.POWERED_OFF),
            SurroundingsError,
            "It is off; switch Bluetooth on",
        ),
        (BleakDBusError("org.bluez.Error.InProgress", []), SurroundingsError, "InProgress"),
        (FileNotFoundError(2, "No such file or directory"), SurroundingsError, "Bluetooth does not start"),
        (TimeoutError(), SurroundingsError, "Bluetooth does not start"),
    ],
)
def test_an_adapter_that_does_not_listen_is_never_the_products(error, kind, words):
    sniffer = Sniffer(lambda _heard: Broken(error))
    with pytest.raises(kind, match=words):
        sniffer.listen(0.01)
    (finding,) = sniffer.check()
    assert words in finding
    sniffer.close()


def test_a_deaf_adapter_is_found_by_its_check(monkeypatch):
    class Deaf:
        def __init__(self, _heard):
            pass

        async def start(self):
            pass

        stop = start

    monkeypatch.setattr("strapline_hil.instruments.sniffer._CHECK_S", 0.01)
    assert "heard nobody" in Sniffer(Deaf).check()[0]
