"""The centre's process: its ledger, which outlives it, and its deaths and starts."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from random import Random
from zoneinfo import ZoneInfo

from strapline_centre.centre import Centre, Person, subscriptions
from strapline_centre.database import LedgerDownError
from strapline_centre.ledger import Entry, Ledger
from strapline_centre.schedule import Schedule
from strapline_centre.sentry import Notification
from strapline_centre.service import CentreService
from strapline_protocol.keys import CentreKeys
from strapline_simulator.chain.broker_lines import BrokerLines
from strapline_simulator.chain.clocks import Clocks
from strapline_simulator.chain.parts import CENTRE
from strapline_simulator.draw import run_draw
from strapline_simulator.faults.storage import LockedLedger
from strapline_simulator.scenario import Scenario

_STARTED_AGAIN_S = 5.0


class CentreProcess:
    """Of one run. `keys` are what it was given of the tag's at the start, `gateway_keys` those of the gateways by identity."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        keys: CentreKeys,
        gateway_keys: Mapping[str, bytes],
        lines: BrokerLines,
        clocks: Clocks,
    ) -> None:
        self.keys = keys
        self.schedule = Schedule(ZoneInfo(scenario.zone), scenario.wearer.windows)
        self.ledger = Ledger()
        self.locked_ledger = LockedLedger(self.ledger.database.engine, Random(f"{seed}/ledger"))
        self.centre: Centre
        self.on_entry: Callable[[Entry], None] | None = None
        self.on_notification: Callable[[Notification], None] | None = None
        """Told whom an alert is told to."""
        self._start = scenario.start
        self._person = Person(keys, self.schedule)
        self._gateway_keys = gateway_keys
        self._lines = lines
        self._clocks = clocks
        self._entropy = run_draw(seed, "centre")
        self._work: asyncio.Task[None] | None = None
        self._service: CentreService

    async def open(self, stack: AsyncExitStack) -> None:
        """It runs until the stack is closed."""
        stack.callback(self.ledger.close)
        stack.callback(self.locked_ledger.close)
        client = self._lines.client(CENTRE, subscriptions())
        self.centre = self._make()
        self._service = CentreService(self.centre, client, self._entered, on_notification=self._notify)
        await client.connect(self._service)
        stack.push_async_callback(client.close)
        self._work = asyncio.create_task(self._service.run())
        stack.callback(self._end_work)

    def publish(self) -> None:
        """The centre has something to say."""
        self._service.publish()

    def kill(self) -> None:
        """It ends without a word; its ledger stays."""
        self._end_work()
        self._lines.cut(CENTRE)

    async def start(self) -> None:
        """It starts again, on its ledger."""
        self.centre = await self._begin()
        self._service.use(self.centre)
        await self._lines.restore(CENTRE)
        self._work = asyncio.create_task(self._service.run())

    async def _begin(self) -> Centre:
        """A centre whose ledger is locked ends at once, and is started again as a service is."""
        while True:
            try:
                return self._make()
            except LedgerDownError:
                await asyncio.sleep(_STARTED_AGAIN_S)

    def _make(self) -> Centre:
        epoch = int(self._start.timestamp() + max(0.0, self._clocks.now_s()))
        return Centre(
            [self._person], self._gateway_keys, self.ledger, utc=self._clocks.of(CENTRE), epoch=epoch, entropy=self._entropy,
            clock=asyncio.get_running_loop().time,
        )  # fmt: skip

    def _end_work(self) -> None:
        if self._work is not None:
            self._work.cancel()
            self._work = None

    def _notify(self, notification: Notification) -> None:
        self._service.told(notification, "shown")
        if self.on_notification is not None:
            self.on_notification(notification)

    def _entered(self, entry: Entry) -> None:
        if self.on_entry is not None:
            self.on_entry(entry)
