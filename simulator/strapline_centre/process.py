"""The centre as a process: assembled from its configuration, run until it is told to end."""

import asyncio
import logging
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from strapline_centre.answers import Answers
from strapline_centre.centre import Centre, Person, subscriptions
from strapline_centre.config import Config, read_config
from strapline_centre.database import TakenOverError
from strapline_centre.hook import tell
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.metrics import pages, trouble
from strapline_centre.sentry import Notification
from strapline_centre.service import CentreService
from strapline_centre.watchdog import LoopWatch
from strapline_protocol import service_logs
from strapline_protocol.desk import utc_now
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys
from strapline_protocol.local_control import ControlServer
from strapline_protocol.mqtt import PahoClient
from strapline_protocol.paho_link import EAGER_PAUSE_S
from strapline_protocol.patient_client import PatientClient
from strapline_protocol.state_folder import held
from strapline_protocol.systemd import Notifier
from strapline_protocol.web_pages import WebServer, split_address

_LOG = logging.getLogger(__name__)

GATHER_S = 0.02
"""History waits so long for more of it, and its receipts as long again; alarms wait for nothing."""

_BEAT_S = 1.0
_HOOKS = 4
"""Programs that tell people at the same time."""


def run(path: Path) -> None:
    """Run the centre of this configuration until SIGTERM or SIGINT; UserError for what its operator can mend."""
    config = read_config(path)
    service_logs.configure(config.log.format, config.log.level)
    with held(config.centre.state):
        asyncio.run(_Process(path, config).main())


class _Process:
    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self._config = config
        self._hooks = asyncio.Semaphore(_HOOKS)
        self._end = asyncio.Event()
        self._failure: UserError | None = None

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        async with AsyncExitStack() as stack:
            ledger = Ledger(self._config.ledger_url)
            stack.callback(ledger.close)
            ledger.database.lock()
            self._centre = centre = self._make_centre(ledger)
            place = self._config.broker
            url, topics = self._config.broker_url, subscriptions()
            self._client = PatientClient(partial(PahoClient, url, place.client_id, topics, first_pause_s=EAGER_PAUSE_S))
            self._service = service = CentreService(
                centre, self._client, self._entered, gather_s=GATHER_S,
                on_notification=self._notify, on_ledger=self._on_ledger,
            )  # fmt: skip
            stack.callback(service.close)
            self._answers = Answers(centre, service, lambda tag: read_config(self._path).schedule(tag))
            await stack.enter_async_context(ControlServer(self._config.centre.state, self._answers.handlers))
            if self._config.metrics.address:
                host, port = split_address(self._config.metrics.address)
                web = await stack.enter_async_context(WebServer(host, port, pages(centre, service)))
                _LOG.info("metrics and health are served", extra={"port": web.port})
            watch = stack.enter_context(LoopWatch(self._stalled))
            stack.push_async_callback(self._client.close)
            await self._run(watch)
        if self._failure is not None:
            raise self._failure

    async def _run(self, watch: LoopWatch) -> None:
        systemd = Notifier()
        self._centre.disconnected()  # until the client says otherwise
        try:
            async with asyncio.TaskGroup() as self._tasks:
                working = [
                    self._tasks.create_task(self._client.run(self._service)),
                    self._tasks.create_task(self._service.run()),
                    self._tasks.create_task(self._beat(watch, systemd)),
                ]
                _LOG.info(
                    "the centre has started",
                    extra={"tags": len(self._centre.tags), "gateways": len(self._centre.gateways)},
                )
                systemd.ready(f"{len(self._centre.gateways)} gateways")
                await self._end.wait()
                systemd.stopping()
                for task in working:
                    task.cancel()
        except* TakenOverError as group:
            self._failure = UserError(str(group.exceptions[0]))
        _LOG.info("the centre has ended")

    def _make_centre(self, ledger: Ledger) -> Centre:
        config = self._config
        known = {one.tag: one for one in config.person}
        persons = []
        for keys in read_centre_keys(config.tags.keys):
            one = known.get(keys.tag)
            held_by, judged_by = (None, ()) if one is None else (one.gateways or None, one.judged_by)
            persons.append(Person(keys, config.schedule(keys.tag), gateways=held_by, judged_by=judged_by))
        return Centre(
            persons, config.gateway_keys, ledger, utc=utc_now, epoch=int(time.time()),
            clock=asyncio.get_running_loop().time, limits=config.limits, steps=config.steps, sites=config.sites,
        )  # fmt: skip

    async def _beat(self, watch: LoopWatch, systemd: Notifier) -> None:
        while True:
            stood_s = watch.beat()
            if stood_s:
                self._service.tell("centre", "centre_stalled", f"the centre's loop stood still for {stood_s:.0f} s")
            reasons = trouble(self._service)
            systemd.status(", ".join(reasons) or "all is taken")
            systemd.feed()
            await asyncio.sleep(_BEAT_S)

    def _entered(self, entry: Entry) -> None:
        self._answers.entered(entry)
        _LOG.debug("entry", extra={"kind": entry.kind, "source": entry.source, "gateway": entry.gateway})

    def _on_ledger(self, trouble: str) -> None:
        if trouble:
            _LOG.error("nothing is taken: %s", trouble)
        else:
            _LOG.info("the ledger takes what comes")

    def _notify(self, notification: Notification) -> None:
        self._tasks.create_task(self._tell(notification))

    async def _tell(self, notification: Notification) -> None:
        hook = self._config.hook
        async with self._hooks:
            outcome = await tell(notification, hook.command, hook.limit_s, self._answers.beside(notification.alert))
        self._service.told(notification, outcome)

    def _stalled(self, stood_s: float) -> None:
        """On the watchdog's thread: the loop cannot tell anybody."""
        command: Sequence[str] = self._config.hook.command
        if command:
            about = f'{{"stalled_s": {stood_s:.0f}}}'.encode()
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(
                    command, input=about, timeout=self._config.hook.limit_s, check=False, capture_output=True
                )
