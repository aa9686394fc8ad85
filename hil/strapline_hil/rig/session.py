"""A rig with a tag on it that is worn and armed, for a test that acts by itself."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Self, TypeVar

from strapline_hil.rig.body import RigBody
from strapline_hil.rig.rig import Rig
from strapline_simulator.chain import Chain
from strapline_simulator.report import Story
from strapline_simulator.run_notes import Happening, RunNotes
from strapline_simulator.scenario import Scenario
from strapline_simulator.script import Script
from strapline_simulator.simulation import Beside, sky_over
from strapline_simulator.trace import TraceWriter
from strapline_simulator.tracing import trace_chain

T = TypeVar("T")

WORN_AT_HOME = Path(__file__).with_name("worn-at-home.yaml")
"""What goes on around the tag of a test."""


class Told(NamedTuple):
    """A record of the tag, as the centre has it."""

    code: str
    t_s: float
    """When the tag says that it was, seconds since the session's start."""
    at_s: float
    """When the centre had it."""
    fields: dict[str, Any]


class RigSession(ABC):
    """Use as a context manager: on entering the tag is worn at home, and armed.

    `folder`: where the trace goes. `beside` goes on as long as the session.
    """

    def __init__(
        self, body: RigBody, scenario: Scenario, seed: int, folder: Path | None = None, beside: Beside | None = None
    ) -> None:
        self.body = body
        self.rig: Rig = body.rig
        self.scenario = scenario
        self.notes = RunNotes(self._happened)
        self.happenings: list[Happening] = []
        self._seed = seed
        self._folder, self._beside = folder, beside
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

    def __exit__(self, *_error: object) -> None:
        self.close()

    @abstractmethod
    def open(self) -> None:
        """What entering does; where it fails the rig can still be looked at, until `close`."""

    @abstractmethod
    def close(self) -> None:
        """May be called twice."""

    # Time.

    @property
    @abstractmethod
    def now_s(self) -> float:
        """Since the session's start."""

    @abstractmethod
    def sleep(self, for_s: float) -> None:
        """Let so much of the rig's time pass."""

    @abstractmethod
    def act(self, deed: Callable[[], T]) -> T:
        """Do something with an instrument, now; returns when the instrument has confirmed it."""

    @abstractmethod
    def wait_for(self, code: str, within_s: float, since_s: float | None = None) -> Told | None:
        """The first such record at the centre from `since_s` on; None where none has come in time."""

    @property
    @abstractmethod
    def told(self) -> list[Told]:
        """All events that the centre has of the tag, in the order in which they came."""

    def _first(self, code: str, since_s: float) -> Told | None:
        return next((told for told in self.told if told.code == code and told.at_s >= since_s), None)

    # On the loop.

    async def _enter(self, chain: Chain) -> None:
        """The chain begins, heard and recorded."""
        stack = self._stack
        trace = None if self._folder is None else stack.enter_context(TraceWriter(self._folder / "trace.pcapng"))
        self.chain = await stack.enter_async_context(chain)
        self.notes.listen(chain)
        if trace is not None:
            trace_chain(chain, trace)
        story = Story(start_utc=self.scenario.start.astimezone(UTC), tz_name=self.scenario.zone)
        self.script = Script(
            self.scenario, chain, lambda made: sky_over(made, chain, Random(f"{self._seed}/sky")), story
        )

    def _begin(self) -> None:
        """The script is played from now on."""
        self._play = asyncio.create_task(self.script.play(self.scenario.duration_s))
        self._tasks.append(self._play)
        if self._beside is not None:
            self._tasks.append(asyncio.create_task(self._beside(self.chain)))
        self._stack.push_async_callback(self._stop)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    def _raise_failure(self) -> None:
        if self._play.done():
            self._play.result()

    def _happened(self, happening: Happening) -> None:
        self.happenings.append(happening)
