"""The steps about where the wearer is and what stands around: sky, cells, foil, liars, and what the centre asks about places."""

import asyncio
from typing import Any

from strapline_simulator.chain import Chain
from strapline_simulator.scenario import Scenario
from strapline_simulator.world.shelter import NO_CELL_DBM, SHELTERS, STEP_S, STREET_DBM, Cell
from strapline_simulator.world.sky import LogReceiver, Receiver
from strapline_simulator.world.wearer import Itinerary, Point

_JAMMED = 200
"""What a receiver's jamming indicator says beside a jammer, of 255."""


class PlaceSteps:
    """A part of `Script`, which has the attributes named here."""

    _chain: Chain
    _scenario: Scenario
    _receiver: Receiver | LogReceiver
    path: Itinerary

    def _begin_places(self) -> None:
        self._cell = Cell()
        self._around = "street"
        self._jammer = False
        self._false_place: str | None = None
        self.dark: list[tuple[float, float]] = []
        """When no position is due: from, until (infinite while it lasts)."""

    def where(self) -> Point:
        """What the signals that reach the receiver say of its place."""
        if self._false_place is not None:
            place = self._scenario.places[self._false_place]
            return Point(place.lat_deg, place.lon_deg)
        return self.path.at(self._chain.now_s())

    def _sense(self, sensor: str, value: int) -> None:
        raise NotImplementedError

    def _expect(self, code: str, earliest_s: float, latest_s: float, text: str, due_s: float | None = None) -> None:
        raise NotImplementedError

    # The verbs.

    async def _do_shelter(self, name: str, now: float) -> None:
        self._around = name
        around = SHELTERS[name]
        self._chain.radio_world.damping_db = around.ble_db
        self._set_sky(around.sky, now)
        await self._go_to_cell(around.cell_dbm, around.fall_s, now)

    async def _do_sky(self, sky: str, now: float) -> None:
        self._set_sky(sky, now)

    async def _do_cell(self, there: bool, now: float) -> None:
        await self._go_to_cell(STREET_DBM if there else -140, 0, now)

    async def _do_jammer(self, on: bool, now: float) -> None:
        self._jammer = on
        self._sense("jam", _JAMMED if on else 0)
        self._set_sky("none" if on else SHELTERS[self._around].sky, now)

    async def _do_spoofer(self, place: str | bool, now: float) -> None:
        self._false_place = place if isinstance(place, str) else None

    async def _do_zones(self, zones: tuple[Any, ...], now: float) -> None:
        self._chain.centre.set_zones(self._chain.tag_id, [zone.record(self._scenario.places) for zone in zones])
        self._chain.centre_process.publish()

    async def _do_locate(self, within_s: float, now: float) -> None:
        self._chain.centre.locate(self._chain.tag_id, round(within_s))
        self._chain.centre_process.publish()
        self._expect("located", now, now + 180, "the order for a position is answered")

    def _set_sky(self, sky: str, now: float) -> None:
        if isinstance(self._receiver, Receiver):
            self._receiver.sky = sky
        self._darken(now, dark=sky != "open")

    def _darken(self, now: float, *, dark: bool) -> None:
        """From now on no position is due, or one is again."""
        if self.dark and self.dark[-1][1] == float("inf"):
            self.dark[-1] = (self.dark[-1][0], now)
        if dark:
            self.dark.append((now, float("inf")))

    async def _go_to_cell(self, to_dbm: int, fall_s: float, now: float) -> None:
        self._cell.go(now, to_dbm, fall_s)
        while True:
            now = self._chain.now_s()
            dbm = self._cell.dbm(now)
            self._sense("cell_dbm", dbm)
            self._chain.tag_lines.cellular.set_coverage(dbm > NO_CELL_DBM)
            if self._cell.settled(now):
                return
            await asyncio.sleep(STEP_S)

    def _is_dark(self, earliest_s: float, latest_s: float) -> bool:
        return any(start < latest_s and earliest_s < end for start, end in self.dark)
