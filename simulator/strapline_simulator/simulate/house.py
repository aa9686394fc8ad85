"""A gateway of the simulation's own in real time, on somebody else's broker: it publishes the contract as any gateway does."""

import asyncio
import json
import os
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Self

from strapline_gateway.gateway import Gateway
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.station import Station
from strapline_protocol.contract import parse_topic
from strapline_protocol.keys import gateway_keys
from strapline_protocol.mqtt import PahoClient
from strapline_protocol.patient_client import PatientClient
from strapline_simulator.simulate.identities import Identity
from strapline_simulator.taps import TappedClient

_RECORDS = ("event", "position")


class House:
    """Use as an asynchronous context manager. Its outbox is in memory: with this process goes what waits in it."""

    def __init__(self, ident: str, key: bytes, url: str, tags: Iterable[Identity]) -> None:
        self.ident = ident
        loop = asyncio.get_running_loop()
        self._outbox = Outbox(":memory:")
        station = Station(
            int(ident, 16),
            [gateway_keys(one.tag, one.secret) for one in tags],
            os.urandom,
            home=False,
            now=loop.time(),
            utc_s=lambda: utc_now().timestamp(),
        )
        self.gateway = Gateway(station, None)
        will = state_will(ident, key, utc_now(), self._outbox.start)
        self._patient = PatientClient(lambda: PahoClient(url, f"strapline-{ident}", subscriptions(ident), will))
        self._published: set[str] = set()
        self._copies = 0
        self.relay = Relay(
            ident, key, self._outbox, TappedClient(self._patient, self._note), utc=utc_now, clock=loop.time,
            on_command=self.gateway.command, on_keys=self.gateway.expect_keys, on_schedule=self.gateway.set_schedule,
            entropy=os.urandom,
        )  # fmt: skip
        self.gateway.attach(self.relay)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.callback(self._outbox.close)
            stack.push_async_callback(self._patient.close)
            stack.callback(self.relay.say_goodbye)
            await stack.enter_async_context(self.gateway)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            connecting = tasks.create_task(self._patient.run(self.relay), name=f"broker of {self.ident}")
            stack.callback(connecting.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    @property
    def trouble(self) -> str:
        """Why there is no broker; empty where there is."""
        return self._patient.trouble

    def _note(self, topic: str, payload: bytes) -> None:
        if parse_topic(topic).channel in _RECORDS:
            ident = json.loads(payload)["id"]
            self._copies += ident in self._published
            self._published.add(ident)

    def summary(self) -> dict[str, int]:
        """For the report."""
        status = self.relay.status()
        return {
            "published": status.published,
            "receipted": status.receipted,
            "copies": self._copies,
            "refused": status.refused,
            "waiting": status.alarms_waiting + status.history_waiting,
        }
