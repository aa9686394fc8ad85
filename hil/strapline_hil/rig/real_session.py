"""A real rig with its tag, for a test that acts by itself: as `RigSession`, but time is the wall's and nobody stops it.

The base station, the broker and the centre live on a loop in a thread of their own, so that they go on while the test thinks.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Self, TypeVar

from strapline_centre.ledger import Entry
from strapline_hil.rig.real_dut import RealBody
from strapline_hil.rig.real_loop import LoopThread
from strapline_hil.rig.real_stamps import Stamps
from strapline_hil.rig.real_state import HeardState
from strapline_hil.rig.rig import Rig
from strapline_hil.rig.session import WORN_AT_HOME, Told
from strapline_hil.verdict import RigError
from strapline_simulator.assessment import event_name
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import Chain
from strapline_simulator.real_adapter import RoomAir
from strapline_simulator.report import Story
from strapline_simulator.run_notes import Happening, RunNotes
from strapline_simulator.scenario import Scenario, load_scenario
from strapline_simulator.script import Script
from strapline_simulator.simulation import Beside, sky_over
from strapline_simulator.trace import TraceWriter
from strapline_simulator.tracing import trace_chain

T = TypeVar("T")

_LOOK_S = 0.02


class RealSession:
    """Use as a context manager: on entering the tag has been heard, and armed where the rig has a hand for its key.

    `folder`: where the trace goes. `beside` goes on as long as the session.
    """

    def __init__(
        self,
        body: RealBody,
        scenario: Scenario | None = None,
        folder: Path | None = None,
        beside: Beside | None = None,
        patience_s: float = 120.0,
    ) -> None:
        """`scenario`: what goes on around the tag; without one it is worn at home. `patience_s`: within that it must be heard."""
        self._patience_s = patience_s
        self.body = body
        self.rig: Rig = body.rig
        self.scenario = scenario or _at_a_desk(self.rig)
        self.notes = RunNotes(self._happened)
        self.happenings: list[Happening] = []
        self._is_ours = scenario is None
        self._folder, self._beside = folder, beside
        self._state = HeardState(body.desk.gateway_keys)
        self._seed = secrets.randbits(63)
        self._deeds_began_s: float | None = None
        self._loop = LoopThread()
        self._stack = AsyncExitStack()
        self.chain: Chain
        self.script: Script
        self._play: asyncio.Task[None]
        self._tasks: list[asyncio.Task[None]] = []

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def open(self) -> None:
        """What entering does; where it fails the rig can still be looked at, until `close`."""
        self._loop.run(self._open())
        if self._is_ours:
            self._wait_until_ready()

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        try:
            self.end()
        finally:
            self.body.close()

    def end(self) -> None:
        """Base station, broker and centre end; the instruments stay open."""
        self._loop.end(self._stack.aclose)

    # Time.

    @property
    def now_s(self) -> float:
        """Since the session's start."""
        return self._loop.time() - self.chain.clocks.origin_s

    def sleep(self, for_s: float) -> None:
        """Wait so long."""
        self._deeds_began_s = None
        self._loop.run(asyncio.sleep(for_s))
        self._raise_failure()

    def act(self, deed: Callable[[], T]) -> T:
        """Do something with an instrument; returns when the instrument has confirmed it."""
        self._raise_failure()
        if self._deeds_began_s is None:
            self._deeds_began_s = self.now_s
        return self.body.act(deed)

    def wait_for(self, code: str, within_s: float, since_s: float | None = None) -> Told | None:
        """The first such record at the centre from `since_s` on; None where none has come in time.

        Unless it is given, that is when the last deeds began: the tag may have told of them before they were confirmed.
        """
        if since_s is None:
            since_s = self.now_s if self._deeds_began_s is None else self._deeds_began_s
        self._deeds_began_s = None
        return self._loop.run(self._until(lambda: self._first(code, since_s), within_s))

    @property
    def told(self) -> list[Told]:
        """All events that the centre has of the tag, in the order in which they came."""
        entries = list(self.notes.entries)
        stamps = self._stamps(entries)
        return [
            Told(event_name(entry.fields["code"]), stamps.of(entry), at_s, dict(entry.fields))
            for at_s, entry in entries
            if entry.kind == "event" and stamps.is_ours(entry)
        ]

    def _stamps(self, entries: Sequence[tuple[float, Entry]]) -> Stamps:
        return Stamps(entries, len(self.chain.tag.boots))

    # The loop.

    async def _open(self) -> None:
        stack, file, desk = self._stack, self.rig.file, self.body.desk
        trace = None if self._folder is None else stack.enter_context(TraceWriter(self._folder / "trace.pcapng"))
        self.scenario = self.scenario.model_copy(update={"start": datetime.now(UTC), "tag": file.target.settings})
        broker = await stack.enter_async_context(open_broker(file.gateway.broker))
        self.chain = chain = Chain(self.scenario, self._seed, self.body, broker, desk=desk)
        await stack.enter_async_context(chain)
        self.notes.listen(chain)
        assert isinstance(chain.air, RoomAir)
        chain.air.on_heartbeat = self._state.hear
        if trace is not None:
            trace_chain(chain, trace)
        story = Story(start_utc=self.scenario.start.astimezone(UTC), tz_name=self.scenario.zone)
        self.script = Script(
            self.scenario, chain, lambda made: sky_over(made, chain, Random(f"{self._seed}/sky")), story
        )
        self._begin()
        if not self._is_ours:
            self.body.be_punctual()
        self._play = asyncio.create_task(self.script.play(self.scenario.duration_s))
        self._tasks.append(self._play)
        if self._beside is not None:
            self._tasks.append(asyncio.create_task(self._beside(chain)))
        stack.push_async_callback(self._stop)

    def _begin(self) -> None:
        """The script is about to be played."""

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def _wait_until_ready(self) -> None:
        state, place = self._state, f"rig {self.rig.name}"
        if not self._loop.run(self._until(lambda: state.is_heard, self._patience_s)):
            raise RigError(
                place,
                f"the base station has heard nothing of tag {self.body.desk.tag} for {self._patience_s:g} s",
                "look whether it has power, whether the keys are its own, and whether the adapter is the right one",
            )
        if self.rig.has("hand"):
            if self.wait_for("armed", self._patience_s, since_s=0.0) is None:
                raise AssertionError(f"the tag was not armed within {self._patience_s:g} s")
        elif not state.is_armed:
            mend = "arm it once with the electronic key, or give the rig a `hand: {driver: by-hand}` that does"
            raise RigError(place, f"tag {self.body.desk.tag} says that it is not armed", mend)

    def _first(self, code: str, since_s: float) -> Told | None:
        return next((told for told in self.told if told.code == code and told.at_s >= since_s), None)

    async def _until(self, found: Callable[[], T], within_s: float) -> T:
        until = self.now_s + within_s
        while True:
            self._raise_failure()
            result = found()
            if result or self.now_s >= until:
                return result
            await asyncio.sleep(_LOOK_S)

    def _raise_failure(self) -> None:
        self.body.raise_failure()
        self._loop.raise_failure()
        if self._play.done():
            self._play.result()

    def _happened(self, happening: Happening) -> None:
        self.happenings.append(happening)


def _at_a_desk(rig: Rig) -> Scenario:
    """The key at once, where somebody can hold it to the tag."""
    scenario = load_scenario(str(WORN_AT_HOME))
    steps = [step.model_copy(update={"at": "0s"}) for step in scenario.steps] if rig.has("hand") else []
    return scenario.model_copy(update={"steps": tuple(steps)})
