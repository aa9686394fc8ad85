"""What injects faults: each does what it says, and nothing where it is well."""

import asyncio
import sqlite3
from random import Random

import pytest

from strapline_gateway.outbox import ALARM_LANE, Outbox
from strapline_protocol.errors import UserError
from strapline_simulator.clock import run_virtual
from strapline_simulator.faults.receiver import FaultyUart
from strapline_simulator.faults.sensors import SensorFault, Sensors
from strapline_simulator.faults.storage import FullDisk
from strapline_simulator.faults.ways import SPOILS, Way
from strapline_simulator.memory_broker import MemoryBroker
from strapline_simulator.scenario import load_scenario
from strapline_tag.bench_flash import MemoryFlash

HEAD = "title: t\nstart: 2026-03-02T20:00:00+01:00\nduration: 1h\nsteps:\n  - {at: 1min, "


def carried(shares, pieces=400, **changes):
    async def main():
        came = []
        way = Way(Random(5), came.append)
        way.shares = shares
        for name, value in changes.items():
            setattr(way, name, value)
        for number in range(pieces):
            way.send(number.to_bytes(8, "big"))
        await asyncio.sleep(60)
        return came

    return run_virtual(main())


def test_a_way_without_faults_hands_on_at_once_and_in_order():
    assert carried({}) == [n.to_bytes(8, "big") for n in range(400)]


def test_each_way_of_spoiling_leaves_its_mark():
    assert len(carried({"lose": 0.25})) == pytest.approx(300, abs=40)
    assert len(carried({"double": 0.25})) == pytest.approx(500, abs=40)
    assert {len(piece) for piece in carried({"halve": 0.25})} == {4, 8}
    flipped = carried({"flip": 1.0})
    assert all((int.from_bytes(piece, "big") ^ n).bit_count() == 1 for n, piece in enumerate(flipped))
    assert set(SPOILS) == {"flip", "halve", "lose", "double"}


def test_a_late_way_keeps_the_order_and_a_dead_one_brings_nothing():
    assert carried({}, delay_s=8.0) == [n.to_bytes(8, "big") for n in range(400)]
    assert carried({}, is_dead=True) == []


def test_what_is_on_its_way_dies_with_its_connection():
    async def main():
        came = []
        way = Way(Random(5), came.append)
        way.delay_s = 5.0
        way.send(b"old")
        way.connection()
        way.send(b"new")
        await asyncio.sleep(20)
        return came

    assert run_virtual(main()) == [b"new"]


def test_a_sensor_is_stuck_drifts_and_is_mended():
    said = {}
    sensors = Sensors(said.__setitem__, Random(3))
    sensors.sense("skin_centi_c", 3200, 0.0)
    sensors.begin("skin", SensorFault(stuck=True), 0.0)
    sensors.sense("skin_centi_c", 2100, 1.0)
    assert said == {"skin_centi_c": 3200}
    sensors.mend("skin")
    assert said["skin_centi_c"] == 2100
    sensors.begin("ambient", SensorFault(drift_per_h=-60), 0.0)
    sensors.sense("ambient_centi_c", -500, 1800.0)
    assert said["ambient_centi_c"] == -530
    sensors.tick(3600.0)
    assert said["ambient_centi_c"] == -560
    sensors.silence("skin", silent=True)
    sensors.silence("motion", silent=True)
    assert said["faults"] == 2 | 8
    sensors.mend("skin")
    assert said["faults"] == 8


def test_a_receiver_is_silent_garbled_or_frozen():
    came = []
    uart = FaultyUart(came.append, Random(1))
    for state in ("well", "silent", "garbage", "frozen"):
        uart.state = state
        uart.receive(f"$GN{state}".encode())
    assert came[0] == came[2] == b"$GNwell"
    assert len(came) == 3
    assert len(came[1]) == len("$GNgarbage")


def test_a_full_disk_refuses_every_write_and_has_room_again():
    box = Outbox(":memory:")
    disk = FullDisk(box)

    def put(sequence):
        return box.put(ALARM_LANE, "event", "7a900001", 7, sequence, {"record": "AAAA"}, 0.0)

    assert put(1)
    disk.fill()
    with pytest.raises(sqlite3.OperationalError, match="full"):
        put(2)
    assert not box.drop_oldest()
    assert disk.refused
    disk.make_room()
    assert put(2)
    assert len(box) == 2
    box.close()


def test_a_broker_with_a_bounded_queue_drops_the_newest_for_who_is_away():
    class Listener:
        def __init__(self):
            self.came = []

        def mqtt_connected(self): ...

        def mqtt_disconnected(self, _reason): ...

        def mqtt_published(self, _token): ...

        def mqtt_message(self, _topic, payload):
            self.came.append(payload)

    async def main():
        broker, listener, dropped = MemoryBroker(), Listener(), []
        broker.queue_limit = 3
        broker.on_drop = lambda who, _topic, payload: dropped.append((who, payload))
        near, far = broker.client("near", []), broker.client("far", ["a/#"])
        await near.connect(Listener())
        await far.connect(listener)
        far.drop()
        for number in range(5):
            near.publish("a/b", bytes([number]))
        await asyncio.sleep(1)
        await far.restore()
        await asyncio.sleep(1)
        await near.close()
        await far.close()
        return listener.came, dropped

    assert run_virtual(main()) == ([b"\0", b"\1", b"\2"], [("far", b"\3"), ("far", b"\4")])


# The bench's flash.


def held(flash, block=0):
    data = bytearray(64)
    flash.readblocks(block, data, 0)
    return bytes(data)


def test_power_that_sags_ends_a_write_in_its_middle_and_all_that_follow():
    flash = MemoryFlash(8192, 4096)
    flash.fail(1, 20)
    flash.writeblocks(0, bytes(16), 0)
    flash.writeblocks(0, bytes(16), 16)
    assert flash.sagged
    flash.writeblocks(0, bytes(16), 32)
    flash.ioctl(6, 1)
    assert held(flash) == bytes(20) + b"\xff" * 44
    flash.power()
    flash.writeblocks(0, bytes(16), 32)
    assert held(flash)[32:48] == bytes(16)


def test_a_dead_block_raises_and_a_worn_one_reads_otherwise():
    flash = MemoryFlash(8192, 4096)
    flash.fail(2, 0)
    for operation in (lambda: flash.writeblocks(0, b"x", 0), lambda: flash.ioctl(6, 0)):
        with pytest.raises(OSError, match="5"):
            operation()
    flash.fail(0, 0)
    flash.fail(3, 1)
    flash.writeblocks(1, b"\x55" * 32, 0)
    assert held(flash, 1)[:32] != b"\x55" * 32
    flash.writeblocks(0, b"\x55" * 32, 0)
    assert held(flash)[:32] == b"\x55" * 32


# The language.


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("sensor: {of: skin}", "a sensor is one of"),
        ("sensor: {of: skin, stuck: true, well: true}", "a sensor is one of"),
        ("sensor: {of: modem, noise: 3}", "there are the verbs"),
        ("sensor: {of: motion, noise: 3}", "motion can be stuck"),
        ("sensor: {of: battery, fails: true}", "gauge"),
        ("gateway_clock: 2", "write a sign and a duration"),
        ("adapter: broken", "adapter"),
        ("line_noise: {flip: 2}", "flip"),
    ],
)
def test_a_fault_that_cannot_be_is_one_line_with_its_place(step, told, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(f"{HEAD}{step}}}\nexpect: [{{missing: 0}}]\n")
    with pytest.raises(UserError, match=told) as error:
        load_scenario(str(path))
    assert f"{path}:5:" in str(error.value)
