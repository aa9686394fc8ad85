"""A gateway as a service: run until it is told to end, watched while it runs, and ended in good order."""

import asyncio
import logging
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

from strapline_gateway.answers import Answers
from strapline_gateway.assembly import Assembly
from strapline_gateway.config import Config, read_config
from strapline_gateway.look import Look, pages
from strapline_gateway.senses import Senses
from strapline_protocol import service_logs as logs
from strapline_protocol.durable import replace_private
from strapline_protocol.errors import UserError
from strapline_protocol.link_key import GOING, LinkKey, is_awaiting, text_of_keys
from strapline_protocol.local_control import ControlServer
from strapline_protocol.notices import Notice, NoticeCode
from strapline_protocol.state_folder import held
from strapline_protocol.systemd import Notifier
from strapline_protocol.web_pages import WebServer, split_address

_LOG = logging.getLogger(__name__)

END_LIMIT_S = 5.0
"""A clean end takes no longer; what is not said by then is left to the broker's last will."""

_TURN_S = 15.0
"""So often the gateway looks after itself, or three times in systemd's watchdog time."""


def run(path: Path) -> None:
    """Run the gateway of this configuration file until SIGTERM or SIGINT; UserError for what the user can mend."""
    config = read_config(path)
    logs.configure(config.log.format, config.log.level)
    with held(config.gateway.state):
        asyncio.run(Service(path, config).run())


class Service:
    """One gateway's process."""

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        self.config = config
        self._notifier = Notifier()
        self._end = asyncio.Event()
        self._writable = True

    async def run(self) -> None:
        """Until it is told to end."""
        handlers = {signal.SIGTERM: self.end, signal.SIGINT: self.end, signal.SIGHUP: self._reload_if_possible}
        with ExitStack() as last, _last_resort() as begin_end:
            self.parts = Assembly(self.config, last, self._centre_has_sealed_with)
            self.look = Look(self.config, self.parts, lambda: self._writable)
            last.enter_context(_signals(handlers))
            async with AsyncExitStack() as stack:
                await self._begin(stack)
                self._notifier.ready(self.look.line())
                await self._end.wait()
                begin_end()
                self._notifier.stopping()
                self._follow_keys()
                _LOG.info("the gateway ends")
        _LOG.info("ended")

    async def _begin(self, stack: AsyncExitStack) -> None:
        """Everything that is to be closed again, in the order in which the last is closed first."""
        parts, config = self.parts, self.config
        stack.push_async_callback(parts.client.close)
        stack.callback(parts.relay.say_goodbye)
        if parts.discovery is not None:
            stack.callback(parts.discovery.end)
        await stack.enter_async_context(ControlServer(config.gateway.state, Answers(self).handlers()))
        if config.metrics.address:
            web = WebServer(*split_address(config.metrics.address), pages(self.look))
            await stack.enter_async_context(web)
            _LOG.info("metrics and health on port %d", web.port)
        await stack.enter_async_context(parts.gateway)
        for link in parts.links:
            for host, port in getattr(link, "addresses", ()):
                _LOG.info("%s listens on %s, port %d", link.name, host, port)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [
            tasks.create_task(parts.client.run(parts.relay), name="broker"),
            tasks.create_task(Senses(config.sensor, parts.gateway.tell).run(), name="sensors"),
            tasks.create_task(self._turn(), name="turn"),
        ]
        stack.callback(lambda: [task.cancel() for task in running])
        parts.gateway.tell(Notice(NoticeCode.STARTED))
        _LOG.info("gateway %s runs with %d tags", config.gateway.id, len(parts.tag_keys.enrolled))
        if not parts.tag_keys.enrolled:
            _LOG.warning("no tag is enrolled in %s: `strapline gateway enrol` does it", config.tags_file)

    def end(self) -> None:
        """End in good order."""
        self._end.set()

    # Looking after itself.

    async def _turn(self) -> None:
        """The watchdog is fed here: by the loop that does all the work, and only while the outbox can be written."""
        pause_s = min(_TURN_S, (self._notifier.watchdog_s or 3 * _TURN_S) / 3)
        while True:
            try:
                self.parts.outbox.check_writable()
                self._writable = True
            except sqlite3.Error as error:
                if self._writable:
                    _LOG.error("the outbox cannot be written: %s", error)
                self._writable = False
            else:
                self._notifier.feed()
            self._follow_keys()
            self._notifier.status(self.look.line())
            await asyncio.sleep(pause_s)

    def _follow_keys(self) -> None:
        try:
            self.parts.tag_keys.follow(self.look.tags())
        except OSError as error:
            _LOG.error("the tags' keys cannot be kept: %s", error.strerror)

    # What changes while it runs.

    def reload(self) -> dict[str, list[str]]:
        """Read configuration and key files again, and take over what can change: tags, the centre's keys, the log level. UserError."""
        self._notifier.reloading()
        try:
            config = read_config(self._path)
            tags = self._reload_tags()
            self._reload_key()
            logs.set_level(config.log.level)
            if config._replace(log=self.config.log) != self.config:
                _LOG.warning("%s has changed in more than the log: that counts from the next start on", self._path)
            _LOG.info("read again: enrolled %s, withdrawn %s", tags["enrolled"] or "none", tags["withdrawn"] or "none")
            return tags
        finally:
            self._notifier.ready(self.look.line())

    def _reload_if_possible(self) -> None:
        try:
            self.reload()
        except UserError as error:
            for line in str(error).splitlines():
                _LOG.error("not read again: %s", line)

    def _reload_key(self) -> None:
        before, now = self.parts.key, self.parts.read_key()
        self.parts.use_key(now)
        if bytes(now) != bytes(before):
            self.parts.client.renew()

    def _reload_tags(self) -> dict[str, list[str]]:
        parts = self.parts
        self._follow_keys()
        before = dict(parts.tag_keys.enrolled)
        parts.tag_keys.read()
        after = parts.tag_keys.enrolled
        gone = sorted(before.keys() - after.keys())
        changed = sorted(tag for tag, keys in after.items() if before.get(tag) != keys)
        for tag in gone:
            parts.station.withdraw(tag)
            if parts.discovery is not None:
                parts.discovery.withdraw(tag)
        for tag in changed:
            parts.enrol(parts.station, tag)
            if parts.discovery is not None:
                parts.discovery.enrol(tag)
        parts.relay.use_tags(after.values())
        parts.gateway.drain()
        return {"enrolled": changed, "withdrawn": gone}

    def _centre_has_sealed_with(self, other: bytes) -> None:
        """The centre has taken over another of our keys: from now on it is the one that seals here too, and the last will's."""
        key = self.parts.key
        before = [one for one in (bytes(key), *key.others) if one != other]
        newer = LinkKey(other, before, key.on_other)
        if not is_awaiting(self.config.keys.centre):
            return  # the old one, once more: a message that waited at the broker
        try:
            replace_private(self.config.keys.centre, text_of_keys([other], {GOING: before}))
        except OSError as error:
            _LOG.error(
                "the centre uses its other key, and %s cannot be written: %s", self.config.keys.centre, error.strerror
            )
            return
        _LOG.info("the centre uses its new key, and so does this gateway now")
        self.parts.use_key(newer)
        self.parts.client.renew()


@contextmanager
def _signals(handlers: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


@contextmanager
def _last_resort() -> Iterator[Callable[[], None]]:
    """Gives what to call when the end begins: an attempt to connect blocks its thread, and must not hold up the end."""
    timer = threading.Timer(END_LIMIT_S, os._exit, (0,))
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()
