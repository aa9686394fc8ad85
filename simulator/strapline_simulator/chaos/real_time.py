"""Real time, a real Mosquitto that drops what its short queues do not hold, a gateway's process that is killed, and the real centre."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from strapline_centre.centre import Centre, Person, subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.service import CentreService
from strapline_protocol.desk import utc_now
from strapline_protocol.errors import UserError
from strapline_protocol.keys import centre_keys
from strapline_protocol.mqtt import PahoClient
from strapline_simulator.chaos.real_gateway import GATEWAY, JOURNAL, RECORDS, SECRET, TAG, gateway_key

_GATHER_S = 0.05
"""So long the centre gathers what it commits and answers together, as its command does."""

_QUEUE = 20
"""Messages that this broker keeps for a client that is away; the stock limit is 1,000."""

_START_LIMIT_S = 10.0
_RUN_LIMIT_S = 120.0

_PATIENCE = 40
"""Looks of 0.1 s without anything new."""


class RealResult(NamedTuple):
    """What one run has shown."""

    number: int
    recorded: int
    missing: int
    duplicates_stored: int
    copies: int
    kills: int
    dropping: int
    """How often Mosquitto said that it began to drop messages."""
    wall_s: float

    @property
    def passed(self) -> bool:
        return not self.wrong

    @property
    def wrong(self) -> list[str]:
        """What must not be."""
        wrong = [f"missing: {self.missing} records"] if self.missing else []
        wrong += [f"duplicates: {self.duplicates_stored} records stand twice"] if self.duplicates_stored else []
        return wrong if self.dropping else [*wrong, "idle: the broker dropped nothing, so this run shows nothing"]

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": f"mosquitto {self.number}",
            "passed": self.passed,
            "recorded": self.recorded,
            "missing": self.missing,
            "duplicates_stored": self.duplicates_stored,
            "copies": self.copies,
            "kills": self.kills,
            "dropping": self.dropping,
            "wrong": self.wrong,
            "reproduce": f"python -m strapline_simulator.chaos.real_time {self.number}",
            "wall_s": round(self.wall_s, 1),
        }


def run_real(number: int) -> RealResult:
    """One run; its faults are drawn from `number`, their instants are those of real time."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/opt/homebrew/sbin")
    if program is None:
        raise UserError("no mosquitto on this machine: apt install mosquitto")
    with tempfile.TemporaryDirectory(prefix="strapline-chaos-") as folder:
        return asyncio.run(_Run(number, Path(folder), program).run())


class _Run:
    def __init__(self, number: int, folder: Path, program: str) -> None:
        self._number = number
        self._dice = Random(f"chaos/real/{number}")
        self._folder = folder
        self._program = program
        self._port = _free_port()
        self._broker: subprocess.Popen[bytes] | None = None
        self._gateway: subprocess.Popen[bytes] | None = None
        self._kills = 0

    async def run(self) -> RealResult:
        begun = time.perf_counter()
        self._start_broker()
        try:
            return await asyncio.wait_for(self._live(begun), _RUN_LIMIT_S)
        finally:
            for process in (self._gateway, self._broker):
                if process is not None:
                    process.kill()
                    process.wait()

    async def _live(self, begun: float) -> RealResult:
        ledger = Ledger(f"sqlite:///{self._folder}/ledger.sqlite")
        try:
            # The session must be there before the broker can drop anything for it.
            async with self._centre(ledger):
                self._start_gateway()
                await asyncio.sleep(self._dice.uniform(0.3, 0.8))
            await self._until_the_broker_drops()
            for _ in range(self._dice.randrange(2, 4)):
                self._kill_gateway()
                if self._dice.random() < 0.3:
                    self._restart_broker()
                self._start_gateway()
                await asyncio.sleep(self._dice.uniform(0.3, 2.0))
            async with self._centre(ledger):
                await self._until_all_are_there(ledger)
            return self._judge(ledger, begun)
        finally:
            ledger.close()

    async def _until_the_broker_drops(self) -> None:
        for _ in range(_PATIENCE * 5):
            if self._dropping():
                return
            await asyncio.sleep(0.1)

    async def _until_all_are_there(self, ledger: Ledger) -> None:
        # What the broker dropped comes again with the next connection, or in half a minute: a kill is one reason for a connection.
        everything = set(range(1, RECORDS + 1))
        while (before := _sequences(ledger)) < everything:
            for _ in range(_PATIENCE):
                await asyncio.sleep(0.1)
                if _sequences(ledger) > before:
                    break
            else:
                self._kill_gateway()
                self._start_gateway()

    def _judge(self, ledger: Ledger, begun: float) -> RealResult:
        entries = [entry for entry in ledger.entries() if entry.source == TAG]
        there = {(entry.journal, entry.sequence) for entry in entries}
        truth = {(JOURNAL, sequence) for sequence in range(1, RECORDS + 1)}
        return RealResult(
            number=self._number,
            recorded=RECORDS,
            missing=len(truth - there),
            duplicates_stored=len(entries) - len(there),
            copies=ledger.duplicates,
            kills=self._kills,
            dropping=self._dropping(),
            wall_s=time.perf_counter() - begun,
        )

    def _dropping(self) -> int:
        log = (self._folder / "mosquitto.log").read_text(errors="replace")
        return log.count("Outgoing messages are being dropped")

    @asynccontextmanager
    async def _centre(self, ledger: Ledger) -> AsyncIterator[None]:
        person = Person(centre_keys(TAG, SECRET))
        centre = Centre([person], {GATEWAY: gateway_key()}, ledger, utc=utc_now, epoch=int(utc_now().timestamp()))
        client = PahoClient(f"mqtt://127.0.0.1:{self._port}", "strapline-centre", subscriptions())
        service = CentreService(centre, client, gather_s=_GATHER_S)
        await client.connect(service)
        try:
            yield
        finally:
            service.close()
            await client.close()

    # Processes.

    def _start_gateway(self) -> None:
        arguments = [f"mqtt://127.0.0.1:{self._port}", str(self._folder / "outbox.sqlite")]
        self._gateway = subprocess.Popen(
            [sys.executable, "-m", "strapline_simulator.chaos.real_gateway", *arguments], stderr=subprocess.DEVNULL
        )

    def _kill_gateway(self) -> None:
        assert self._gateway is not None
        self._gateway.send_signal(signal.SIGKILL)
        assert self._gateway.wait() == -signal.SIGKILL, "the gateway's process ended before it was killed"
        self._gateway = None
        self._kills += 1

    def _restart_broker(self) -> None:
        assert self._broker is not None
        self._broker.terminate()
        self._broker.wait()
        self._start_broker()

    def _start_broker(self) -> None:
        settings = self._folder / "mosquitto.conf"
        lines = [
            f"listener {self._port} 127.0.0.1",
            "allow_anonymous true",
            "persistence true",
            f"persistence_location {self._folder}/",
            f"max_queued_messages {_QUEUE}",
            "max_inflight_messages 5",
            "log_type all",
        ]
        settings.write_text("\n".join(lines) + "\n")
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._broker = subprocess.Popen([self._program, "-c", settings], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1.0).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError(f"mosquitto does not start: {(self._folder / 'mosquitto.log').read_text()}")


def _sequences(ledger: Ledger) -> set[int]:
    return {entry.sequence for entry in ledger.entries() if entry.source == TAG}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    print(run_real(int(sys.argv[1])).summary())  # noqa: T201 - a program, run with -m
