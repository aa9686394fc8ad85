"""`strapline bluez`: any program on a bus of its own, and what may be asked for meanwhile."""

import os
import shutil
import subprocess
import sys

import pytest

from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_simulator.bluez.orders import parse, parse_at

COMMAND = [sys.executable, "-m", "strapline_simulator.bluez", "--on", "model"]

SCAN = """
import asyncio
from bleak import BleakScanner

async def main():
    async with asyncio.timeout(10):
        while len(BLE := await BleakScanner.discover(0.5)) < 2: pass
    print(len(BLE), "heard")

asyncio.run(main())
"""

needs_bus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon on the PATH")


def run(*arguments, orders=""):
    return subprocess.run(
        [*COMMAND, *arguments], input=orders, capture_output=True, text=True, timeout=60, check=False, env=os.environ
    )


@needs_bus
def test_a_program_meets_the_tags_and_gives_its_exit_status(tmp_path):
    script = tmp_path / "scan.py"
    script.write_text(SCAN + "raise SystemExit(7)\n")
    done = run("--tags", "2", "--keys", tmp_path / "keys", "--at", "0.1 burst off", "--", sys.executable, script)
    assert (done.returncode, done.stdout) == (7, "2 heard\n")
    assert "burst off: ok" in done.stderr
    held = [key.tag for key in read_gateway_keys(tmp_path / "keys/gateway.json")]
    assert held == [key.tag for key in read_centre_keys(tmp_path / "keys/centre.json")] == ["7a900001", "7a900002"]


@needs_bus
def test_orders_are_answered_line_by_line():
    done = run(orders="kill\nkill\nstart\ndeaf loudly\nfar 7a900009\nfar\ncut\nunplug\nstatus\n")
    address, *answers = done.stdout.splitlines()
    assert address.startswith("DBUS_SYSTEM_BUS_ADDRESS=unix:path=")
    assert [line.partition(":")[0] for line in answers[:8]] == ["ok", "no", "ok", "no", "no", "ok", "ok", "ok"]
    assert answers[8].startswith("bluetoothd runs, adapter unplugged")
    assert answers[9] == "7a900001: far, not connected"
    assert done.returncode == 0


def test_a_mistake_is_one_line():
    done = run("--", "/no/such/program")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("strapline: ")


def test_orders_and_their_moments():
    assert parse_at("2.5 deaf scan") == (2.5, parse(" deaf scan\n"))
    with pytest.raises(UserError, match="no such order"):
        parse("dance")
    with pytest.raises(UserError, match="number of seconds"):
        parse_at("soon kill")
