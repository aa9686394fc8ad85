"""The steps about the world at large: a recorded track, who carries the base station, and what stands around each place."""

import asyncio
from typing import Any

from strapline_simulator.chain import Chain
from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.world import Enclosure, TrackSpec
from strapline_simulator.tracks import track_of
from strapline_simulator.world.shelter import SHELTERS, STEP_S, Cell
from strapline_simulator.world.track import Track
from strapline_simulator.world.wearer import Itinerary, Point, distance_m

_LOOK_S = 5.0
"""So often it is looked where the wearer is."""

_CELL_FALL_S = 20.0
"""From a street's level to that of a dead spot, on the way into it: an assumption."""


class WorldSteps:
    """A part of `Script`, which has the attributes named here."""

    _chain: Chain
    _scenario: Scenario
    _home: Point
    _cell: Cell
    _around: str
    path: Itinerary

    def _begin_world(self, track: Track | None) -> None:
        self._carried: list[tuple[float, Point | None]] = []
        """From when on the base station is where; None: with the wearer."""
        self._goes_by_place = bool(self._scenario.cells) or any(p.shelter for p in self._scenario.places.values())
        self._track = track
        if track is not None:
            self.path.follow(0.0, track.points)

    def _tell(self, now: float, text: str) -> None:
        raise NotImplementedError

    def _set_sky(self, sky: str, now: float) -> None:
        raise NotImplementedError

    async def _go_to_cell(self, to_dbm: int, fall_s: float, now: float) -> None:
        raise NotImplementedError

    async def _do_gateway_moved(self, what: Any, now: float) -> None:
        raise NotImplementedError

    def _tell_track(self) -> None:
        """What had to be done to the track stands in the report, before anything else."""
        if self._track is not None:
            for text in self._track.mended:
                self._tell(self._chain.now_s(), f"track {self._track.name}: {text}")

    async def _do_track(self, spec: TrackSpec, now: float) -> None:
        self.path.follow(now, track_of(self._scenario, spec).points)

    # The base station on the move.

    def gateway_at(self, t_s: float) -> Point:
        """Where the base station is then."""
        place: Point | None = self._home
        for since_s, where in self._carried:
            if since_s <= t_s:
                place = where
        return self.path.at(t_s) if place is None else place

    async def _do_gateway_goes(self, where: str, now: float) -> None:
        there = None
        if where != "with_wearer":
            place = self._scenario.places[where]
            there = Point(place.lat_deg, place.lon_deg)
        self._carried.append((now, there))
        await self._do_gateway_moved("carried", now)

    # Around each place.

    async def _carry_places(self) -> None:
        """A place's shelter begins where its radius does; a dead spot of the network lies over it."""
        stood: tuple[str | None, int | None] = (None, None)
        while True:
            now = self._chain.now_s()
            here = self.path.at(now)
            found = self._shelter_at(here), self._dead_spot_at(here)
            if found != stood:
                stood = found
                await self._stand_in(found[0] or "street", found[1], now)
            await asyncio.sleep(_LOOK_S)

    def _shelter_at(self, here: Point) -> str | None:
        places = self._scenario.places.values()
        around = (
            p.shelter for p in places if p.shelter and distance_m(here, Point(p.lat_deg, p.lon_deg)) <= p.radius_m
        )
        return next(around, None)

    def _dead_spot_at(self, here: Point) -> int | None:
        levels = []
        for spot in self._scenario.cells:
            place = self._scenario.places[spot.around]
            if distance_m(here, Point(place.lat_deg, place.lon_deg)) <= spot.radius_m:
                levels.append(spot.dbm)
        return min(levels, default=None)

    async def _stand_in(self, shelter: str, spot_dbm: int | None, now: float) -> None:
        around = SHELTERS[shelter]
        if shelter != self._around:
            self._around = shelter
            self._chain.radio_world.damping_db = around.ble_db
            self._set_sky(around.sky, now)
        dbm = around.cell_dbm if spot_dbm is None else min(spot_dbm, around.cell_dbm)
        if dbm != self._cell.dbm(now):
            await self._go_to_cell(dbm, max(around.fall_s, _CELL_FALL_S), now)

    async def _do_enclose(self, how: Enclosure, now: float) -> None:
        """Evenly: the network's level, Bluetooth's, and at half time the sky."""
        self._around = how.shelter
        goal, start_db = SHELTERS[how.shelter], self._chain.radio_world.damping_db
        fall = asyncio.create_task(self._go_to_cell(goal.cell_dbm, how.within, now))
        while (share := (self._chain.now_s() - now) / how.within) < 1:
            self._chain.radio_world.damping_db = start_db + share * (goal.ble_db - start_db)
            if share >= 0.5:
                self._set_sky("indoors" if goal.sky == "none" else goal.sky, self._chain.now_s())
            await asyncio.sleep(STEP_S)
        self._chain.radio_world.damping_db = goal.ble_db
        self._set_sky(goal.sky, self._chain.now_s())
        await fall
