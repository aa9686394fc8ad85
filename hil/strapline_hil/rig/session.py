"""A rig with a tag on it that is worn and armed, for a test that acts by itself.

On a virtual rig time stands still while the test acts, and goes on while it waits.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Self, TypeVar

from strapline_centre.ledger import Entry
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.rig import Rig
from strapline_hil.rig.virtual import VirtualRig
from strapline_hil.rig.virtual_sniffer import VirtualSniffer
from strapline_simulator.assessment import event_name
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import Chain
from strapline_simulator.clock import VirtualClockLoop, watched
from strapline_simulator.report import Story
from strapline_simulator.run_notes import Happening, RunNotes
from strapline_simulator.scenario import Scenario, Step, load_scenario
from strapline_simulator.script import Script
from strapline_simulator.simulation import Beside, sky_over
from strapline_simulator.trace import TraceWriter
from strapline_simulator.tracing import trace_chain

T = TypeVar("T")

WORN_AT_HOME = Path(__file__).with_name("worn-at-home.yaml")
"""What goes on around the tag of a test."""

_ARMED_WITHIN_S = 120.0
_LOOK_S = 0.05
_SNIFFER = "sniffer"


class Told(NamedTuple):
    """A record of the tag, as the centre has it."""

    code: str
    t_s: float
    """When the tag says that it was, seconds since the session's start."""
    at_s: float
    """When the centre had it."""
    fields: dict[str, Any]


class RigSession:
    """Use as a context manager: on entering the tag is worn at home, and armed.

    `folder`: where the trace goes. `beside` goes on as long as the session.
    """

    def __init__(
        self,
        body: RigBody,
        scenario: Scenario | None = None,
        seed: int = 1,
        air: str = "frames",
        folder: Path | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.body = body
        self.rig: Rig = body.rig
        self.scenario = scenario or load_scenario(str(WORN_AT_HOME))
        self.notes = RunNotes(self._happened)
        self.happenings: list[Happening] = []
        self._seed, self._air = seed, air
        self._folder, self._beside = folder, beside
        self._runner = asyncio.Runner(loop_factory=VirtualClockLoop)
        self._stack = AsyncExitStack()
        self.chain: Chain
        self._play: asyncio.Task[None]
        self._script: Script
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def open(self) -> None:
        """What entering does; where it fails the rig can still be looked at, until `close`."""
        self._run(self._open())
        if self.wait_for("armed", within_s=_ARMED_WITHIN_S) is None:
            raise AssertionError(f"the tag was not armed within {_ARMED_WITHIN_S:g} s")

    def close(self) -> None:
        """May be called twice."""
        try:
            self._run(self._stack.aclose())
        finally:
            self._runner.close()
            self.body.close()

    # Time.

    @property
    def now_s(self) -> float:
        """Since the session's start."""
        return self._runner.get_loop().time() - self.chain.clocks.origin_s

    def sleep(self, for_s: float) -> None:
        """Let so much of the rig's time pass."""
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
        """All events that the centre has of the tag, in the order in which they came."""
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
        stack = self._stack
        trace = None if self._folder is None else stack.enter_context(TraceWriter(self._folder / "trace.pcapng"))
        broker = await stack.enter_async_context(open_broker("memory"))
        self.chain = chain = Chain(self.scenario, self._seed, self.body, broker, air=self._air)
        await stack.enter_async_context(chain)
        self.notes.listen(chain)
        if trace is not None:
            trace_chain(chain, trace)
        story = Story(start_utc=self.scenario.start.astimezone(UTC), tz_name=self.scenario.zone)
        await self._listen(stack)
        self._script = script = Script(
            self.scenario, chain, lambda made: sky_over(made, chain, Random(f"{self._seed}/sky")), story
        )
        self._play = asyncio.create_task(script.play(self.scenario.duration_s))
        self._tasks.append(self._play)
        if self._beside is not None:
            self._tasks.append(asyncio.create_task(self._beside(chain)))
        stack.push_async_callback(self._stop)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

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
                await self._script.perform(Step(at="0s", gateway_mains=on))
            elif on:
                self.chain.restore_tag_power()
            else:
                self.chain.cut_tag_power()

    async def _listen(self, stack: AsyncExitStack) -> None:
        """The sniffer gets an adapter on the simulated air, beside the base station's."""
        if not self.rig.has("sniffer") or not isinstance(self.rig.sniffer, VirtualSniffer):
            return
        radio = self.chain.ether.gateway_radio(_SNIFFER)
        self.chain.radio_world.place(_SNIFFER, lambda: self._script.gateway_at(self.now_s))
        await radio.start()
        stack.push_async_callback(radio.stop)
        await self.rig.sniffer.hear(radio)
        stack.push_async_callback(self.rig.sniffer.stop)

    async def _wait_for(self, code: str, within_s: float, since_s: float) -> Told | None:
        until = self.now_s + within_s
        while True:
            self._raise_failure()
            found = next((told for told in self.told if told.code == code and told.at_s >= since_s), None)
            if found is not None or self.now_s >= until:
                return found
            await asyncio.sleep(min(_LOOK_S, until - self.now_s))

    def _raise_failure(self) -> None:
        if self._play.done():
            self._play.result()

    def _happened(self, happening: Happening) -> None:
        self.happenings.append(happening)
