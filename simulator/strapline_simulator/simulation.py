"""One run of one scenario: the chain is built, the script is played, and what came of it becomes a report."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from datetime import UTC
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from strapline_simulator.bodies import Body, ParticularBody, make_body
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import Chain
from strapline_simulator.clock import run_virtual
from strapline_simulator.conclusion import Circumstances, Conclusion
from strapline_simulator.gnss_log import Epoch
from strapline_simulator.report import Report, Story
from strapline_simulator.run_notes import Happening, RunNotes
from strapline_simulator.scenario import Scenario
from strapline_simulator.script import Script
from strapline_simulator.soundness.verdict import Wrong, unsound
from strapline_simulator.tag_node import Meter
from strapline_simulator.taps import PassageTap
from strapline_simulator.trace import TraceWriter
from strapline_simulator.tracing import trace_chain
from strapline_simulator.tracks import tracked
from strapline_simulator.witness import Witness
from strapline_simulator.world.sky import LogReceiver, Receiver
from strapline_simulator.world.truth import Truth

_LOG_TAIL_S = 60.0
"""After a receiver's log has ended: time for the last records to reach the centre."""

_TICK_S = 300.0
_HEAP_LOOK_S = 3600.0


Beside = Callable[[Chain], Coroutine[Any, Any, None]]
"""What goes on beside a run while its chain stands; it is cancelled at the end."""


class Options(NamedTuple):
    """How a scenario is run."""

    body: str = "micropython"
    seed: int | None = None
    broker: str = "memory"
    gnss_log: list[Epoch] | None = None
    folder: Path | None = None
    """Where the trace goes; nowhere without it."""
    watch: Callable[[Happening], None] | None = None
    tick: Callable[[float], None] | None = None
    """Told every few simulated minutes how far time is, in seconds."""
    meter: Meter | None = None
    """Counts what the tag does."""
    air: str = "ble"
    """`ble`: whole Bluetooth stacks; `frames`: the frames that they would carry, for a fraction of the time."""
    track: Path | None = None
    """A recorded track that the wearer follows from the start; it goes before the scenario's own."""
    on_frame: PassageTap | None = None
    """Told of each frame that the tag says and hears."""
    trace_keys: bool = False
    """Put the run's test keys into the trace."""
    opened: Body | None = None
    """A body that is open already, and stays so; `body` is what the report calls it."""
    beside: Beside | None = None


class Result(NamedTuple):
    """What a run gives."""

    report: Report
    story: Story
    unmet: list[Truth]
    """The truths that the ledger lacks."""
    measured: Mapping[str, Any]
    """What the interpreter says of itself (heap) and of its receiver."""
    unsound: tuple[Wrong, ...] = ()
    """What was found wrong, where the scenario asks whether it is sound."""

    @property
    def passed(self) -> bool:
        return all(expectation.passed for expectation in self.report.expectations)


def run_scenario(scenario: Scenario, options: Options) -> Result:
    """Run a scenario in virtual time. Raises `UserError` for what the user can mend."""
    result: Result = run_virtual(_Run(scenario, options).run())
    return result


class _Run:
    def __init__(self, scenario: Scenario, options: Options) -> None:
        scenario, self._track = tracked(scenario, options.track)
        self._scenario = scenario
        self._options = options
        self._seed = scenario.seed if options.seed is None else options.seed
        self._notes = RunNotes(options.watch or (lambda _happening: None))
        self._story = Story(start_utc=scenario.start.astimezone(UTC), tz_name=scenario.zone)
        self._witness = Witness(scenario)
        self._duration_s = scenario.duration_s
        if options.track is not None and self._track is not None:
            self._duration_s = max(self._duration_s, self._track.duration_s + _LOG_TAIL_S)
        if options.gnss_log:
            self._duration_s = max(self._duration_s, options.gnss_log[-1].offset_s + _LOG_TAIL_S)

    async def run(self) -> Result:
        started = time.perf_counter()
        with ExitStack() as stack:
            body = self._options.opened
            if body is None:
                body = make_body(self._options.body)
                stack.callback(body.close)
            if isinstance(body, ParticularBody):
                body.require(self._scenario)
            if body.identity:
                self._notes.watch(Happening(0.0, "body", body.identity))
            async with open_broker(self._options.broker) as broker:
                chain = Chain(self._scenario, self._seed, body, broker, air=self._options.air)
                async with chain:
                    self._listen(chain, stack)
                    script = Script(self._scenario, chain, self._receiver(chain), self._story, self._track)
                    script.observe = lambda t, text: self._notes.watch(Happening(t, "world", text))
                    measured = await self._play(chain, script)
                    wrong = self._wrong(chain, script, measured)
                wall_s = round(time.perf_counter() - started, 3)
                run = Circumstances(self._seed, self._options.body, broker.name, self._duration_s, wall_s)
                return self._conclude(self._conclusion(chain, script), run, measured, wrong)

    def _listen(self, chain: Chain, stack: ExitStack) -> None:
        self._notes.listen(chain)
        if self._options.folder is not None:
            trace = stack.enter_context(TraceWriter(self._options.folder / "trace.pcapng"))
            trace_chain(chain, trace, keys=self._options.trace_keys)
        self._witness.watch(chain)
        chain.tag.meter = self._options.meter
        chain.tag.on_frame = self._options.on_frame

    async def _play(self, chain: Chain, script: Script) -> Mapping[str, Any]:
        """To the scenario's end; gives what the interpreter says of itself then."""
        tasks = [asyncio.create_task(self._tick(chain)), asyncio.create_task(self._watch_heap(chain))]
        if self._options.beside is not None:
            tasks.append(asyncio.create_task(self._options.beside(chain)))
        await script.play(self._duration_s)
        self._notes.conclude(chain)
        self._witness.conclude(chain.ledger, [chain.centre_process.keys])
        for task in tasks:
            task.cancel()
        measured = chain.tag.measure()
        self._notes.measured(self._duration_s, measured)
        return measured

    async def _tick(self, chain: Chain) -> None:
        while self._options.tick is not None:
            self._options.tick(chain.now_s())
            await asyncio.sleep(_TICK_S)

    async def _watch_heap(self, chain: Chain) -> None:
        await asyncio.sleep(1.0)  # the tag starts first
        while True:  # on every body, so that time goes in the same steps
            self._notes.measured(chain.now_s(), chain.tag.measure())
            await asyncio.sleep(_HEAP_LOOK_S)

    def _receiver(self, chain: Chain) -> Callable[[Script], Receiver | LogReceiver]:
        log = self._options.gnss_log
        if log is not None:
            return lambda script: LogReceiver(log, script.receive)
        random = Random(f"{self._seed}/sky")
        return lambda script: sky_over(script, chain, random)

    def _conclusion(self, chain: Chain, script: Script) -> Conclusion:
        return Conclusion(self._scenario, chain, script, self._notes, self._witness)

    def _wrong(self, chain: Chain, script: Script, measured: Mapping[str, Any]) -> list[Wrong]:
        """Where the scenario asks whether the run is sound."""
        if not any(expectation.sound for expectation in self._scenario.expect):
            return []
        return unsound(self._scenario, self._conclusion(chain, script).evidence(measured))

    def _conclude(
        self, conclusion: Conclusion, run: Circumstances, measured: Mapping[str, Any], wrong: list[Wrong]
    ) -> Result:
        unmet = conclusion.unmet(run.duration_s)
        conclusion.tell_story(run.duration_s)
        return Result(conclusion.report(run, unmet, wrong), self._story, unmet, measured, tuple(wrong))


def sky_over(script: Script, chain: Chain, random: Random) -> Receiver:
    """The receiver of this script's tag, wherever its wearer is."""
    receiver = Receiver(chain.utc, script.where, script.receive, random)
    receiver.speed_m_s = lambda: script.path.speed_m_s(chain.now_s())
    return receiver
