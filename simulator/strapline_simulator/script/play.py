"""The play: one scenario's steps in time, on one chain. A verb that has to do with one part of the world is in that part's file."""

import asyncio
from collections.abc import Callable
from typing import Literal

from strapline_centre.database import LedgerDownError
from strapline_simulator.chain import Chain
from strapline_simulator.report import Story
from strapline_simulator.scenario import Journey, Place, Scenario, Step
from strapline_simulator.scenario.days import played_steps
from strapline_simulator.scenario.meddling import Meddling
from strapline_simulator.scenario.orders import ConfigOrder, CurfewOrder, MessageOrder
from strapline_simulator.scenario.updates import UpdateKind
from strapline_simulator.script.centre import CentreSteps
from strapline_simulator.script.dialogue import Dialogue
from strapline_simulator.script.faults import FaultSteps
from strapline_simulator.script.gateway import GatewaySteps
from strapline_simulator.script.limb import STRAP_OHM, LimbSteps
from strapline_simulator.script.monitoring import BEYOND_REACH_M, MonitoringTruths
from strapline_simulator.script.places import PlaceSteps
from strapline_simulator.script.radio import RadioSteps
from strapline_simulator.script.wording import text_of
from strapline_simulator.script.world import WorldSteps
from strapline_simulator.world.sky import LogReceiver, Receiver
from strapline_simulator.world.track import Track
from strapline_simulator.world.truth import Truth
from strapline_simulator.world.wearer import Itinerary, Point, distance_m
from strapline_tag.config import Config

_KEY_ID = 0x00E1EC01
_CONTACT_S = 180.0
"""A tag at home is called on every two minutes, and then hears what waits for it; one that is away when it has something to say."""

_RESTART_S = 1.0

_ASKED_AGAIN_S = 10.0
"""After so long a person asks the centre again whose ledger did not answer."""


_SAME_MOMENT_S = 0.001
"""So long a step waits for one of the same moment before it."""


class Script(LimbSteps, PlaceSteps, RadioSteps, GatewaySteps, CentreSteps, WorldSteps, FaultSteps, MonitoringTruths):
    """Plays one scenario on one chain. `receiver` feeds the tag's UART; `observe(text)` hears of every step; the wearer follows `track`."""

    def __init__(
        self,
        scenario: Scenario,
        chain: Chain,
        make_receiver: Callable[["Script"], Receiver | LogReceiver],
        story: Story,
        track: Track | None = None,
    ) -> None:
        super().__init__()
        self._scenario = scenario
        self._chain = chain
        self.story = story
        self.observe: Callable[[float, str], None] = lambda _t, _text: None
        self.path = Itinerary(_home(scenario))
        self.truths: list[Truth] = []
        self.stimuli: list[tuple[str, float]] = []
        self._home = self.path.at(0)
        self._deeds: list[asyncio.Task[None]] = []
        self._armed_at: float | None = None
        self._begin_places()
        self._begin_gateway()
        self._begin_world(track)
        self._begin_faults(chain.seed)
        self._receiver = make_receiver(self)
        self._dialogue = Dialogue(scenario, chain)

    async def play(self, duration_s: float) -> None:
        """From the tag's start to the end of the scenario."""
        chain = self._chain
        chain.radio_world.place("home", lambda: self.gateway_at(chain.now_s()))
        chain.radio_world.place("tag", lambda: self.path.at(chain.now_s()))
        chain.tag.on_gnss_power = self._receiver.power
        self._dialogue.listen(lambda text: self._tell(chain.now_s(), text))
        chain.start_tag()
        self._tell_track()
        self._sense("strap_ohm", STRAP_OHM)
        self._expect("started", 0.0, 1.0, "the tag starts")
        by_itself = [
            asyncio.create_task(self._carry_heat()),
            asyncio.create_task(self._carry_motion()),
        ]
        if self._goes_by_place:
            by_itself.append(asyncio.create_task(self._carry_places()))
        chain.tag.on_restart = lambda: by_itself.append(asyncio.create_task(self._restart()))
        try:
            await self._play_steps(duration_s)
        finally:
            for task in (*by_itself, *self._deeds):
                task.cancel()
        self._conclude(duration_s)

    async def _play_steps(self, duration_s: float) -> None:
        """What lasts longer than until the next step goes on beside it."""
        steps = played_steps(self._scenario)
        moments = [self._scenario.seconds_of(step.at) for step in steps]
        for step, at_s, next_s in zip(steps, moments, [*moments, duration_s][1:], strict=True):
            await self._until(at_s)
            deed = asyncio.create_task(self._carry_out(step))
            self._deeds.append(deed)
            await asyncio.wait([deed], timeout=max(_SAME_MOMENT_S, next_s - at_s))
            self._end_deeds()
        await self._until(duration_s)
        self._end_deeds()

    def _end_deeds(self) -> None:
        """Raises what went wrong in one of them."""
        for deed in [deed for deed in self._deeds if deed.done()]:
            self._deeds.remove(deed)
            deed.result()

    def _home_point(self) -> Point:
        return self._home

    def receive(self, data: bytes) -> None:
        """Bytes of the GNSS receiver, on their way to the tag."""
        self._uart.receive(data)

    async def _until(self, t_s: float) -> None:
        await asyncio.sleep(max(0.0, t_s - self._chain.now_s()))

    async def perform(self, step: Step) -> None:
        """Something happens now that the scenario does not have."""
        await self._carry_out(step)

    async def _carry_out(self, step: Step) -> None:
        now = self._chain.now_s()
        self._tell(now, text_of(step))
        while True:
            try:
                await getattr(self, f"_do_{step.verb}")(step.argument, self._chain.now_s())
                return
            except LedgerDownError:  # nothing was done: whoever wants it of the centre asks again
                await asyncio.sleep(_ASKED_AGAIN_S)

    def _tell(self, now: float, text: str) -> None:
        self.observe(now, text)
        if self._chain.on_truth is not None:
            self._chain.on_truth(now, text)
        self.story.truths.append((now, text))

    # The verbs.

    async def _do_note(self, _text: str, _now: float) -> None:
        pass

    async def _do_present_key(self, which: str, now: float) -> None:
        if which == "disarm":
            self._chain.tag.present_key(self._chain.centre.issue_disarm(self._chain.tag_id, _KEY_ID))
            if self._armed_at is not None:
                self._expect("disarmed", now, now + 1, "the electronic key disarms the tag")
                self._disarm(now)
            return
        self._chain.tag.present_key(self._chain.centre.issue_arm(self._chain.tag_id, _KEY_ID))
        if not self._strap_open:
            self._armed_at = now
            self._expect("armed", now, now + 1, "the electronic key arms the tag")

    async def _do_go(self, journey: Journey, now: float) -> None:
        self.path.go(now, self._scenario.places[journey.to], journey.within, journey.by)

    async def _do_radio_loss(self, share: float, _now: float) -> None:
        self._chain.air.loss = share

    async def _do_broker_tampers(self, how: Meddling | Literal[False], _now: float) -> None:
        if how:
            self._chain.broker.tampering.begin(how.model_dump())
        else:
            self._chain.broker.tampering.end()

    async def _do_curfew(self, order: CurfewOrder, _now: float) -> None:
        self._dialogue.send_curfew(order)

    async def _do_config(self, order: ConfigOrder, _now: float) -> None:
        self._dialogue.send_config(order)

    async def _do_message(self, order: MessageOrder, _now: float) -> None:
        self._dialogue.send_message(order)

    async def _do_power_cut(self, for_s: float, now: float) -> None:
        await self._start_again(for_s, now)

    async def _do_update(self, kind: UpdateKind, _now: float) -> None:
        self._chain.update_tag(kind)

    async def _do_spoil_image(self, _yes: bool, _now: float) -> None:
        self._chain.tag_life.spoil_image()

    async def _restart(self) -> None:
        now = self._chain.now_s()
        self._tell(now, "the tag restarts")
        await self._start_again(_RESTART_S, now)

    async def _start_again(self, for_s: float, now: float) -> None:
        self._conclude_monitoring(now)
        was_armed, self._armed_at = self._armed_at is not None, None
        self._chain.cut_tag_power()
        await asyncio.sleep(for_s)
        self._chain.restore_tag_power()
        back = self._chain.now_s()
        self._expect("started", back - 0.001, back + 1, "the tag starts again")  # a start is told to the millisecond
        if was_armed:
            self._armed_at = back

    async def _do_press_button(self, for_s: float, _now: float) -> None:
        await self._dialogue.press_button(for_s)

    # What must be in the ledger.

    async def _do_new_keys(self, _yes: bool, now: float) -> None:
        self._chain.centre.rekey(self._chain.tag_id)
        self._chain.centre_process.publish()
        at_home = distance_m(self.path.at(now), self.gateway_at(now)) < BEYOND_REACH_M
        period_s = self._scenario.settings.get("beacon_period_s", Config.beacon_period_s)
        self._expect("rekeyed", now, now + (_CONTACT_S if at_home else period_s + _CONTACT_S), "the tag has new keys")

    def _expect(self, code: str, earliest_s: float, latest_s: float, text: str, due_s: float | None = None) -> None:
        # On a live link everything is due within the 15 minutes of R07; alarms have their own bounds in the scenario.
        self.truths.append(Truth(code, earliest_s, latest_s, text, latest_s + 900 if due_s is None else due_s))


def _home(scenario: Scenario) -> Place:
    """Where the wearer and the base station are at the start."""
    return scenario.places.get("home") or Place(lat_deg=0.0, lon_deg=0.0)
