"""A real rig with its tag, for a test that acts by itself: time is the wall's and nobody stops it.

The base station, the broker and the centre live on a loop in a thread of their own, so that they go on while the test thinks.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from strapline_centre.ledger import Entry
from strapline_hil.rig.real.dut import RealBody
from strapline_hil.rig.real.loop import LoopThread
from strapline_hil.rig.real.stamps import Stamps
from strapline_hil.rig.real.state import HeardState
from strapline_hil.rig.rig import Rig
from strapline_hil.rig.session import WORN_AT_HOME, RigSession, Told
from strapline_hil.verdict import RigError
from strapline_simulator.assessment import event_name
from strapline_simulator.brokers import open_broker
from strapline_simulator.chain import Chain
from strapline_simulator.real_adapter import RoomAir
from strapline_simulator.scenario import Scenario, load_scenario
from strapline_simulator.simulation import Beside

T = TypeVar("T")

_LOOK_S = 0.02


class RealSession(RigSession):
    """On entering the tag has been heard, and armed where the rig has a hand for its key."""

    def __init__(
        self,
        body: RealBody,
        scenario: Scenario | None = None,
        folder: Path | None = None,
        beside: Beside | None = None,
        patience_s: float = 120.0,
    ) -> None:
        """`scenario`: what goes on around the tag; without one it is worn at home. `patience_s`: within that it must be heard."""
        super().__init__(body, scenario or _at_a_desk(body.rig), secrets.randbits(63), folder, beside)
        self.body: RealBody = body
        self._patience_s = patience_s
        self._is_ours = scenario is None
        self._state = HeardState(body.desk.gateway_keys)
        self._deeds_began_s: float | None = None
        self._loop = LoopThread()

    def open(self) -> None:
        self._loop.run(self._open())
        if self._is_ours:
            self._wait_until_ready()

    def close(self) -> None:
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
        return self._loop.time() - self.chain.clocks.origin_s

    def sleep(self, for_s: float) -> None:
        self._deeds_began_s = None
        self._loop.run(asyncio.sleep(for_s))
        self._raise_failure()

    def act(self, deed: Callable[[], T]) -> T:
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
        file = self.rig.file
        self.scenario = self.scenario.model_copy(update={"start": datetime.now(UTC), "tag": file.target.settings})
        broker = await self._stack.enter_async_context(open_broker(file.gateway.broker))
        chain = Chain(self.scenario, self._seed, self.body, broker, desk=self.body.desk)
        assert isinstance(chain.air, RoomAir)
        chain.air.on_heartbeat = self._state.hear
        await self._enter(chain)
        if not self._is_ours:
            self.body.be_punctual()
        self._begin()

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
        super()._raise_failure()


def _at_a_desk(rig: Rig) -> Scenario:
    """The key at once, where somebody can hold it to the tag."""
    scenario = load_scenario(str(WORN_AT_HOME))
    steps = [step.model_copy(update={"at": "0s"}) for step in scenario.steps] if rig.has("hand") else []
    return scenario.model_copy(update={"steps": tuple(steps)})
