"""The steps about what stands between the tag and its base station: rooms, and the wearer's own body."""

from strapline_simulator.chain import Chain
from strapline_simulator.scenario.radio import BodyBetween


class RadioSteps:
    """A part of `Script`, which has the attribute named here."""

    _chain: Chain

    async def _do_room(self, name: str, _now: float) -> None:
        self._chain.radio_world.go_to_room(name)

    async def _do_body_between(self, how: BodyBetween, _now: float) -> None:
        self._chain.radio_world.put_body_between(how)
