"""A virtual rig with its tag, for a test that acts by itself: time stands still while the test acts, and goes on while it waits."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from strapline_centre.ledger import Entry
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.session import WORN_AT_HOME, RigSession, Told
from strapline_hil.rig.virtual.rig import VirtualRig
from strapline_hil.rig.virtual.sniffer import VirtualSniffer
from strapline_simulator.assessment import event_name
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import Chain
from strapline_simulator.clock import VirtualClockLoop, watched
from strapline_simulator.scenario import Scenario, Step, load_scenario
from strapline_simulator.simulation import Beside

T = TypeVar("T")

_ARMED_WITHIN_S = 120.0
_LOOK_S = 0.05
_SNIFFER = "sniffer"


class VirtualSession(RigSession):
    """`air`: `frames` or `stack`, as of a run."""

    def __init__(
        self,
        body: RigBody,
        scenario: Scenario | None = None,
        seed: int = 1,
        air: str = "frames",
        folder: Path | None = None,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(body, scenario or load_scenario(str(WORN_AT_HOME)), seed, folder, beside)
        self._air = air
        self._runner = asyncio.Runner(loop_factory=VirtualClockLoop)

    def open(self) -> None:
        self._run(self._open())
        if self.wait_for("armed", within_s=_ARMED_WITHIN_S) is None:
            raise AssertionError(f"the tag was not armed within {_ARMED_WITHIN_S:g} s")

    def close(self) -> None:
        try:
            self._run(self._stack.aclose())
        finally:
            self._runner.close()
            self.body.close()

    # Time.

    @property
    def now_s(self) -> float:
        return self._runner.get_loop().time() - self.chain.clocks.origin_s

    def sleep(self, for_s: float) -> None:
        self._run(asyncio.sleep(for_s))
        self._raise_failure()

    def act(self, deed: Callable[[], T]) -> T:
        """Do something with an instrument at this moment of the rig's time."""
        return self._run(self._act(deed))

    def wait_for(self, code: str, within_s: float, since_s: float | None = None) -> Told | None:
        """The first such record at the centre from `since_s` (now, unless given) on; None where none has come in time."""
        return self._run(self._wait_for(code, within_s, self.now_s if since_s is None else since_s))

    @property
    def told(self) -> list[Told]:
        found = []
        for at_s, entry in self.notes.entries:
            if entry.kind == "event":
                found.append(
                    Told(event_name(entry.fields["code"]), self._stamp_s(entry, at_s), at_s, dict(entry.fields))
                )
        return found

    def _stamp_s(self, entry: Entry, at_s: float) -> float:
        """A record counts from the start of the tag that it names; when the tag has restarted by itself nobody knows."""
        fields, boots = entry.fields, self.chain.tag.boots
        start = (fields["boot"] - 1) & 0xFFFF
        if start >= len(boots):
            return at_s
        booted_s = boots[start] - self.chain.clocks.origin_s
        return float(round(booted_s + fields["uptime_s"] + fields.get("uptime_ms", 0) / 1000, 3))

    # The loop.

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(watched(coroutine))

    async def _open(self) -> None:
        broker = await self._stack.enter_async_context(open_broker("memory"))
        await self._enter(Chain(self.scenario, self._seed, self.body, broker, air=self._air))
        await self._listen(self._stack)
        self._begin()

    async def _act(self, deed: Callable[[], T]) -> T:
        self.chain.tag.touch()
        done = deed()
        self.chain.tag.touch()
        await self._follow()
        return done

    async def _follow(self) -> None:
        """What instruments did to more than the tag's wires."""
        if not isinstance(self.rig, VirtualRig):
            return
        for what, on in self.rig.virtual.world.take():
            if what == "mains":
                await self.script.perform(Step(at="0s", gateway_mains=on))
            elif on:
                self.chain.restore_tag_power()
            else:
                self.chain.cut_tag_power()

    async def _listen(self, stack: AsyncExitStack) -> None:
        """The sniffer gets an adapter on the simulated air, beside the base station's."""
        if not self.rig.has("sniffer") or not isinstance(self.rig.sniffer, VirtualSniffer):
            return
        radio = self.chain.ether.gateway_radio(_SNIFFER)
        self.chain.radio_world.place(_SNIFFER, lambda: self.script.gateway_at(self.now_s))
        await radio.start()
        stack.push_async_callback(radio.stop)
        await self.rig.sniffer.hear(radio)
        stack.push_async_callback(self.rig.sniffer.stop)

    async def _wait_for(self, code: str, within_s: float, since_s: float) -> Told | None:
        until = self.now_s + within_s
        while True:
            self._raise_failure()
            found = self._first(code, since_s)
            if found is not None or self.now_s >= until:
                return found
            await asyncio.sleep(min(_LOOK_S, until - self.now_s))
