"""What centre and wearer say to each other in a scenario: the centre's orders, the button, and what the tag shows of them."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from strapline_centre.schedule import Schedule
from strapline_protocol.codes import Setting
from strapline_simulator.chain import HOME, Chain
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.orders import ConfigOrder, CurfewOrder, MessageOrder

_OTHER = 0x6A7E0BAD
"""A gateway that is not in this world."""

_QUIET_S = 60.0


class Dialogue:
    """For one chain."""

    def __init__(self, scenario: Scenario, chain: Chain) -> None:
        self._scenario = scenario
        self._chain = chain
        self._vibrated_at = -_QUIET_S

    def listen(self, tell: Callable[[str], None]) -> None:
        """Tell of display and motor; of the motor at most once a minute."""

        def show(text: str) -> None:
            tell(f"the tag shows: {text}" if text else "the tag's display is empty")

        def vibrate(_ms: int) -> None:
            now = self._chain.now_s()
            if now - self._vibrated_at >= _QUIET_S:
                self._vibrated_at = now
                tell("the tag vibrates")

        self._chain.tag.on_show = show
        self._chain.tag.on_vibrate = vibrate

    def send_curfew(self, order: CurfewOrder) -> None:
        weekly = tuple(window for one in order.weekly for window in one.windows)
        once = tuple(one.value for one in order.once)
        schedule = Schedule(ZoneInfo(self._scenario.zone), self._scenario.wearer.windows, weekly, once)
        self._chain.centre.send_curfew(self._chain.tag_id, schedule)
        self._chain.centre_process.publish()

    def send_config(self, order: ConfigOrder) -> None:
        homes = [int(HOME, 16) if home == "home" else _OTHER for home in order.homes]
        settings = [(Setting[name.upper()], value) for name, value in order.settings.items()]
        self._chain.centre.send_config(self._chain.tag_id, homes=homes, settings=settings)
        self._chain.centre_process.publish()

    def send_message(self, order: MessageOrder) -> None:
        within_s = int(order.answer_within or 0)
        flags = (1 if within_s else 0) | (2 if order.vibrate else 0)
        self._chain.centre.send_message(
            self._chain.tag_id, order.text, language=order.language, flags=flags, answer_within_s=within_s
        )
        self._chain.centre_process.publish()

    async def press_button(self, for_s: float) -> None:
        self._chain.tag.button(pressed=True)
        await asyncio.sleep(for_s)
        self._chain.tag.button(pressed=False)
