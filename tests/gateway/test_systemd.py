"""What systemd hears, on a real datagram socket."""

import asyncio
import json
import resource
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from gateway_process import LIMIT_S, GatewayProcess, until
from hand_made_tag import HandMadeTag
from strapline_protocol.systemd import Notifier

UNIT = Path(__file__).parents[2] / "deploy/systemd/strapline-gateway.service"


@pytest.fixture
def systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(LIMIT_S)
        yield listening


def hear(systemd, wanted):
    """All that is told up to the first message with this line."""
    told = []
    while wanted not in (told[-1].split("\n") if told else ()):
        told.append(systemd.recv(4096).decode())
    return told


def test_a_gateway_says_ready_feeds_the_watchdog_only_while_it_can_keep_records_and_says_that_it_ends(
    tmp_path, systemd
):
    house = GatewayProcess(tmp_path / "gateway", "mqtt://127.0.0.1:1", HandMadeTag())
    house.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")

    async def main():
        assert hear(systemd, "READY=1")[-1].startswith("READY=1\nSTATUS=0 of 1 tags here, ")
        hear(systemd, "WATCHDOG=1")
        log = house.state / "outbox.sqlite-wal"
        _, most = resource.prlimit(house.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(house.process.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, most))
        await house.logged("the outbox cannot be written")
        systemd.setblocking(False)
        while True:
            try:
                systemd.recv(4096)
            except BlockingIOError:
                break
        systemd.settimeout(LIMIT_S)
        turns = [systemd.recv(4096).decode().split("=")[0] for _ in range(3)]
        assert turns == ["STATUS"] * 3
        code, told = await house.page("/readyz")
        assert (code, "disk" in [reason["code"] for reason in json.loads(told)["reasons"]]) == (503, True)
        resource.prlimit(house.process.pid, resource.RLIMIT_FSIZE, (most, most))
        hear(systemd, "WATCHDOG=1")
        await until(lambda: "disk" not in [one["code"] for one in house.status()["troubles"]])
        assert house.end() == 0
        assert "STOPPING=1" in hear(systemd, "STOPPING=1")[-1]

    try:
        asyncio.run(main())
    finally:
        house.close()


def test_outside_a_unit_nobody_is_told(tmp_path):
    Notifier({}).ready("x")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).feed()
    assert Notifier({}).watchdog_s is None
    assert Notifier({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}).watchdog_s is None


def test_an_abstract_socket_is_reached(tmp_path):
    name = f"strapline-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready("up")
        listening.settimeout(LIMIT_S)
        assert listening.recv(100) == b"READY=1\nSTATUS=up"


def test_the_unit_file_is_one_that_systemd_takes(tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/strapline/bin/strapline", "/bin/true"))
    told = subprocess.run([analyze, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if UNIT.name in line] == []
