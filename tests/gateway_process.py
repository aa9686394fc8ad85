"""A real gateway process, a tag that calls it over TCP, and a centre behind a real broker."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime

from typer.testing import CliRunner

from strapline_centre.centre import Centre, Person
from strapline_centre.centre import subscriptions as centre_subscriptions
from strapline_centre.ledger import Ledger
from strapline_centre.service import CentreService
from strapline_gateway.command import app
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import successor
from strapline_protocol.mqtt import PahoClient

GATEWAY = "6a7e0001"
KEY = bytes(range(32))
LIMIT_S = 20.0


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def write_tags(path, *tags):
    with successor(path, [tag.gateway_keys for tag in tags]) as put_in_place:
        put_in_place()


class GatewayProcess:
    """`strapline gateway run` in a folder of its own."""

    def __init__(self, folder, broker_url, *tags, key=KEY, more=""):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        write_private(folder / "centre.key", key.hex() + "\n")
        self.state = folder / "state"
        self.state.mkdir(mode=0o700, exist_ok=True)
        write_tags(self.state / "tags.json", *tags)
        self.config = folder / "gateway.toml"
        self.config.write_text(
            "format = 1\n"
            f'[gateway]\nid = "{GATEWAY}"\nstate = "state"\nlinks = ["tcp:127.0.0.1:0"]\n'
            '[keys]\ncentre = "centre.key"\n'
            f'[broker]\nurl = "{broker_url}"\n'
            '[log]\nformat = "json"\nlevel = "debug"\n'
            '[metrics]\naddress = "127.0.0.1:0"\n' + more
        )
        self.process = None
        self.log = []
        self._read = 0

    def start(self, **environment):
        with (self.folder / "gateway.log").open("ab") as log:
            self._read = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "strapline_gateway", "run", "--config", self.config],
                stderr=log,
                env={**os.environ, **environment},
            )

    def run_once(self):
        """(exit status, standard error) of a start that is to fail."""
        command = [sys.executable, "-m", "strapline_gateway", "run", "--config", self.config]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S)
        return ended.returncode, ended.stderr

    def lines(self):
        """What it has logged since its last start."""
        with (self.folder / "gateway.log").open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        return [json.loads(line) if line[:1] == b"{" else {"event": line.decode()} for line in whole.splitlines()]

    async def logged(self, text, *, after=0):
        """The first line after the given number of lines whose event holds the text."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                for line in self.lines()[after:]:
                    if text in line["event"]:
                        return line
                if self.process.poll() is not None:
                    raise AssertionError(f"ended with {self.process.returncode}: {self.lines()}")
                await asyncio.sleep(0.02)

    def waiting(self, channel):
        """Rows of this channel on its disk."""
        with closing(sqlite3.connect(self.state / "outbox.sqlite")) as db:
            return db.execute("SELECT COUNT(*) FROM outbox WHERE channel = ?", (channel,)).fetchone()[0]

    async def port(self):
        """Where tags call it."""
        return int((await self.logged(" listens on "))["event"].rpartition(" ")[2])

    async def web_port(self):
        return int((await self.logged("metrics and health on port"))["event"].rpartition(" ")[2])

    async def page(self, path):
        """(status, content) over HTTP."""
        reader, writer = await asyncio.open_connection("127.0.0.1", await self.web_port())
        writer.write(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n".encode())
        async with asyncio.timeout(LIMIT_S):
            answer = await reader.read()
        writer.close()
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), content.decode()

    def ask(self, *arguments, answers=""):
        """Another of the gateway's commands with this gateway's configuration: (exit status, what it printed)."""
        told = CliRunner().invoke(app, [*arguments, "--config", str(self.config)], input=answers)
        if isinstance(told.exception, UserError):
            return 2, str(told.exception)
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told.exit_code, told.output

    def status(self):
        return json.loads(self.ask("status", "--json")[1])

    def end(self, number=signal.SIGTERM):
        """Its exit status."""
        self.process.send_signal(number)
        return self.process.wait(LIMIT_S)

    def close(self):
        """Whatever has happened: nothing of it goes on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Caller:
    """A tag on a TCP connection to the gateway."""

    def __init__(self, tag, reader, writer):
        self.tag, self._reader, self._writer = tag, reader, writer

    async def take(self):
        """Bytes from the gateway, and the acknowledgement that they ask for."""
        async with asyncio.timeout(LIMIT_S):
            data = await self._reader.read(4096)
        assert data, "the gateway has hung up"
        self.tag.receive(data)
        self._writer.write(self.tag.acknowledgement())

    def send(self, sealed):
        self._writer.write(self.tag.send(sealed))

    async def receipt(self):
        """Wait for a command of the centre's, which for a tag that brings records is their receipt."""
        while not self.tag.taken:
            await self.take()
        return self.tag.taken.pop(0)


@asynccontextmanager
async def calling(port, tag):
    """A call of the tag's, with its session made."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    caller = Caller(tag, reader, writer)
    try:
        writer.write(tag.hello(0.0))
        while tag.session is None:
            await caller.take()
        writer.write(tag.reply(0.0))
        yield caller
    finally:
        writer.close()


@asynccontextmanager
async def centre_behind(broker_url, *tags, ledger="sqlite://", key=KEY, gateway=GATEWAY):
    """The reference centre on the broker, as long as the block lasts; `say()` sends what it has been told to."""
    kept = Ledger(ledger)
    now = datetime.now(UTC)
    centre = Centre(
        [Person(tag.centre_keys) for tag in tags],
        {gateway: key},
        kept,
        utc=lambda: datetime.now(UTC),
        epoch=int(now.timestamp()),
    )
    client = PahoClient(broker_url, "strapline-centre", centre_subscriptions())
    service = CentreService(centre, client)
    centre.say = service.publish
    await client.connect(service)
    try:
        yield centre
    finally:
        await client.close()
        kept.close()


async def until(condition):
    """Look again and again: what is waited for happens in another process."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
