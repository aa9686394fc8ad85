# ruff: noqa: SLF001 - folding is the one place that knows a tag's and a station's insides; its tests hold it to their own word
"""Quiet stretches worked out instead of lived through: nothing in the world changes, nothing waits, nobody has anything to say.

A stretch ends before whatever comes next: an entry of the agenda, a deadline of the tag that is more than its next heartbeat or call, a
movement that would be told. Then tag and station are what they would be, but for what is drawn: in which millisecond the next heartbeat
comes, and how long ago the last call was. That is why times that hang on a call may differ, by BOUND_S at most, and why they cannot be the
same: the draws of the heartbeats that were not made are not made either.
"""

from collections.abc import Iterator
from copy import copy
from random import Random
from typing import Any, NamedTuple, Protocol

from strapline_gateway.calls import CONTACT_PERIOD_S
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_base import Base
from strapline_simulator.fleet.engine_centre import CentreUnit
from strapline_simulator.fleet.engine_post import Post
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.fold_motion import MotionFold
from strapline_simulator.world.radio import PATH_LOSS_EXPONENT, RSSI_AT_1_M_DBM, SENSITIVITY_DBM

BOUND_S = 150.0
"""From a call that was due each 120 s, with its heartbeats and tries, to what follows from its absence."""

_WORTH_MS = 15_000
_SURE_DB = 10.0
"""So far above or below what the radio hears at all, five times the fading, nobody is at the edge of its reach."""

_BEYOND_M = 10 ** ((RSSI_AT_1_M_DBM - SENSITIVITY_DBM + _SURE_DB) / (10 * PATH_LOSS_EXPONENT))
"""So far away nothing is heard of a tag."""

_ASK_HEARTBEATS = 2.4
"""Quick heartbeats for each call that a tag asks for: as counted in unfolded hours."""

_LOOK_AHEAD_S, _LOOK_STEP_S, _NEAR_C = 1800.0, 20.0, 0.6
"""How temperatures are tried out: in no such step does the gap change by more than that while it is as small."""

_HEARD_SHARE = 0.95
_LEAST_PERCENT = 12
"""Below it the battery's ladder and its sagging voltage are lived through."""


_IDLE = (Post.publish_due, CentreUnit._look)
"""With nothing to publish the one does nothing; of the other the centre itself says when it has something to do."""


class _Stretch(NamedTuple):
    unit: TagUnit
    is_home: bool
    motion: MotionFold


class Folded(Protocol):
    """The home that is folded."""

    agenda: Agenda
    base: Base
    ingress: Base
    centre: CentreUnit
    units: list[TagUnit]


class Folder:
    """Of one home: all of its tags at once, or none."""

    def __init__(self, home: Folded, seed: str) -> None:
        self._home = home
        self._random = Random(f"{seed}/fold")
        self.heartbeats = 0
        """Worked out, and not built."""
        self.accepted = 0
        self._wait_ms = 0
        self._cold: dict[str, tuple[float, float, float]] = {}
        """By tag: when its surroundings changed, when its skin may come near to them, and how far ahead that was tried out."""

    def consider(self) -> None:
        """Fold from now on, where that is allowed and worth it."""
        home = self._home
        now_ms = home.agenda.now_ms
        if now_ms < self._wait_ms or home.base.is_busy or home.ingress.is_busy:
            return
        end_ms = self._next_call_ms()
        if end_ms - now_ms < _WORTH_MS:
            self._wait_ms = end_ms
            return
        stretches = []
        for unit in home.units:
            stretch, end_ms = self._stretch(unit, now_ms, end_ms)
            if stretch is None or end_ms - now_ms < _WORTH_MS:
                return
            stretches.append(stretch)
        seconds = end_ms // 1000
        for stretch in stretches:
            seconds = min(seconds, stretch.motion.walk(seconds))
        end_ms = min(end_ms, seconds * 1000)
        if end_ms - now_ms >= _WORTH_MS:
            self._fold(stretches, now_ms, end_ms)

    def _next_call_ms(self) -> int:
        """When the agenda has something to do that is neither a tag's nor a station's clock, nor void."""
        home = self._home
        own = {*map(id, home.units), id(home.base), id(home.ingress)}
        times = [
            at
            for at, _, call, _ in home.agenda.heap
            if id(getattr(call, "__self__", None)) not in own and getattr(call, "__func__", None) not in _IDLE
        ]
        return min([home.agenda.until_ms, home.centre.next_ms, *times])

    # May it?

    def _stretch(self, unit: TagUnit, now_ms: int, end_ms: int) -> tuple[_Stretch | None, int]:
        is_home = self._is_home(unit, now_ms)
        if is_home is None or not _is_tag_quiet(unit) or not self._is_station_quiet(unit, is_home=is_home):
            return None, end_ms
        warm_ms = self._warm_until_ms(unit, now_ms)
        deadlines = [end_ms, warm_ms, *_deadlines_ms(unit, now_ms, is_home=is_home)]
        motion = MotionFold(unit.tag.motion, unit.wearer.moves(), unit.sampler._second_at // 1000)
        return _Stretch(unit, is_home, motion), min(deadlines)

    def _warm_until_ms(self, unit: TagUnit, now_ms: int) -> int:
        """So long skin and surroundings stay apart. Until they have settled that is tried out, once for each change of them."""
        if not unit.tag.armed or _keeps_warm(unit, now_ms):
            return 1 << 62
        heat, now_s = unit.wearer.heat, now_ms / 1000
        if not heat.worn or unit.tag.skin.lost:
            return now_ms
        known = self._cold.get(unit.ident)
        if known is None or known[0] != heat._changed or now_s >= known[2]:
            known = self._cold[unit.ident] = (heat._changed, *_cold_span_s(unit, now_s))
        _, first_s, end_s = known
        return round(min(first_s, end_s) * 1000)

    def _is_home(self, unit: TagUnit, now_ms: int) -> bool | None:
        """Whether every heartbeat may be heard, or none can; None where neither is sure."""
        wearer, base = unit.wearer, self._home.base
        if wearer.path.is_under_way(now_ms / 1000):
            is_far = wearer.path.is_one_leg and wearer.path.from_home_m(now_ms / 1000) > _BEYOND_M
            return False if is_far else None
        if not base.is_on or unit.ident not in base.station._tags:
            return False
        mean = base.mean_dbm(unit) - wearer.damping_db
        if abs(mean - SENSITIVITY_DBM) < _SURE_DB:
            return None
        return mean > SENSITIVITY_DBM

    def _is_station_quiet(self, unit: TagUnit, *, is_home: bool) -> bool:
        enrolled = self._home.base.station._tags.get(unit.ident)
        if enrolled is None:
            return True
        if enrolled.suspicion or enrolled.in_call or (is_home and enrolled.mailbox):
            return False  # mail for a tag that is elsewhere waits as it lies, at the ingress until the tag calls
        if is_home:
            return enrolled.present and enrolled.offset_s is not None and not (unit.tag.away and unit.tag.armed)
        return not enrolled.present and (unit.tag.away or not unit.tag.armed)

    # Do it.

    def _fold(self, stretches: list[_Stretch], now_ms: int, end_ms: int) -> None:
        home = self._home
        home.agenda.now_ms = end_ms
        for stretch in stretches:
            motion = stretch.motion
            if motion.second > end_ms // 1000:  # another tag's stretch was shorter
                motion = MotionFold(
                    stretch.unit.tag.motion, stretch.unit.wearer.moves(), stretch.unit.sampler._second_at // 1000
                )
                motion.walk(end_ms // 1000)
            motion.settle()
            count = self._advance(stretch, now_ms, end_ms)
            self.heartbeats += count
            if stretch.is_home:
                self.accepted += round(count * _HEARD_SHARE)
        air = home.base.station._air
        if air._silence_due is not None:
            air._heard_at, air._silence_due = end_ms / 1000, end_ms / 1000 + 30.0
        for unit in home.units:
            unit.arm()
        home.base.arm()

    def _advance(self, stretch: _Stretch, now_ms: int, end_ms: int) -> int:
        unit, tag = stretch.unit, stretch.unit.tag
        period_s = _call_period_s(unit)
        _advance_samples(unit, end_ms)
        broadcast, config = tag._broadcast, unit.config
        count = 2 * (end_ms - now_ms) // (config.heartbeat_shortest_ms + config.heartbeat_longest_ms)
        if stretch.is_home and tag.armed:
            count += round((end_ms - now_ms) / 1000 / period_s * _ASK_HEARTBEATS)
        _advance_broadcast(broadcast, count, end_ms)
        broadcast.due = end_ms + 1 + self._random.randrange(config.heartbeat_longest_ms)
        if stretch.is_home:
            called_ms = max(end_ms - self._random.randrange(round(period_s * 1000)), tag._presence._heard)
            tag._presence._heard = tag.reached_at = called_ms
            tag._presence.asked = None
            self._advance_station(unit, called_ms / 1000, end_ms / 1000)
        tag._stale = True
        return int(count)

    def _advance_station(self, unit: TagUnit, called_s: float, end_s: float) -> None:
        station = self._home.base.station
        enrolled = station._tags[unit.ident]
        broadcast = unit.tag._broadcast
        enrolled.keys.window.accept(broadcast._counter - 1)
        enrolled.newest_uptime_4s = int(end_s * 1000) // 4000 & 0xFFFF
        enrolled.heard_at = enrolled.near_at = enrolled.rssi_at = end_s
        enrolled.contact_at = max(enrolled.contact_at, called_s)
        enrolled.told_alarm = None
        presence = station._presence
        presence._deadlines.set(enrolled, end_s + presence._patience_s(enrolled))
        station.resume({unit.ident: broadcast.slot.index})
        station._pseudonyms.heard(unit.ident, broadcast.slot.pseudonym, end_s)


def _call_period_s(unit: TagUnit) -> float:
    """How often a tag that is at home is called on, or asks for a call."""
    tag, config = unit.tag, unit.config
    if not tag.armed or tag.situation.resting:
        return CONTACT_PERIOD_S
    silence_s = config.home_silence_curfew_s if tag.situation.home_hours else config.home_silence_s
    return float(max(15, min(CONTACT_PERIOD_S, silence_s // 5)))


def _is_tag_quiet(unit: TagUnit) -> bool:
    tag, wearer = unit.tag, unit.wearer
    positioning, strap, sky = tag._positioning, tag.strap, tag._positioning._sky
    if unit.lines or len(tag.journal) or tag._broadcast._burst or tag._presence.asked is not None:
        return False
    if positioning.power or positioning._interval_ms is not None or positioning._request is not None:
        return False
    if strap._folded or (strap._odd_samples and not strap._altered) or strap.is_open != wearer.strap_open:
        return False
    if sky._moved or sky._warned_at is not None or wearer.jam or wearer.faults:
        return False
    return tag._bearers.next_deadline() is None and tag.dialogue.next_deadline() is None and _is_housing_quiet(unit)


def _is_housing_quiet(unit: TagUnit) -> bool:
    housing, wearer = unit.tag.housing, unit.wearer
    levels = (wearer.case_open, wearer.charging, wearer.immersed)
    return not housing._untold and not any(housing._lasted) and tuple(housing._levels) == levels


def _keeps_warm(unit: TagUnit, now_ms: int) -> bool:
    """Whether skin and surroundings stay apart, whatever they still do on their way to what they become."""
    tag, heat, now_s = unit.tag, unit.wearer.heat, now_ms / 1000
    if not tag.armed:
        return True
    if not heat.worn or tag.skin.lost:
        return False
    skin_c, ambient_c = heat.skin_c(now_s), heat.ambient_c(now_s)
    goal_c = heat._limb_goal(now_s)
    gap = abs(goal_c - heat.around_c)
    left = max(abs(skin_c - goal_c), abs(heat._limb_c - goal_c)) + abs(ambient_c - heat.around_c) + 1.2
    hottest = max(ambient_c, heat.around_c)
    return gap - left > unit.config.skin_margin_centi_c / 100 and hottest < unit.config.too_hot_centi_c / 100 - 5


def _cold_span_s(unit: TagUnit, now_s: float) -> tuple[float, float]:
    """When the gap first comes near the margin, or it becomes hot; and up to when that was looked at."""
    heat, config = copy(unit.wearer.heat), unit.config
    end_s = now_s + _LOOK_AHEAD_S
    at_s = now_s
    while at_s < end_s:
        skin_c, ambient_c = heat.skin_c(at_s), heat.ambient_c(at_s)
        near = abs(skin_c - ambient_c) <= config.skin_margin_centi_c / 100 + _NEAR_C
        if near or ambient_c >= config.too_hot_centi_c / 100 - 5:
            return at_s, end_s
        at_s += _LOOK_STEP_S
    return end_s, end_s


def _is_settled(unit: TagUnit, now_s: float) -> bool:
    """Whether in no minute the gap closes as it does off the body, so that only its being there matters."""
    heat = unit.wearer.heat
    skin_c, ambient_c, goal_c = heat.skin_c(now_s), heat.ambient_c(now_s), heat._limb_goal(now_s)
    left = abs(skin_c - goal_c) + abs(heat._limb_c - goal_c) + abs(ambient_c - heat.around_c)
    return left * 100 < unit.config.relaxing_percent * abs(skin_c - ambient_c) * 0.8


def _deadlines_ms(unit: TagUnit, now_ms: int, *, is_home: bool) -> Iterator[int]:
    """Of the tag: what is more than its next heartbeat, or than a call."""
    tag = unit.tag
    for part in (tag._beacon, tag._curfew):
        due = part.next_deadline()
        if due is not None:
            yield due
    if is_home:
        clock = tag.clock
        yield now_ms if clock._answered_at is None else clock._answered_at + unit.config.time_refresh_s * 1000
    wearer = unit.wearer
    if wearer.path.is_under_way(now_ms / 1000):
        yield int(wearer.path.comes_near_s(now_ms / 1000, _BEYOND_M) * 1000)
    percent, drain = wearer.battery.percent(now_ms / 1000), wearer.battery.drain_per_h
    if percent < _LEAST_PERCENT:
        yield now_ms
    if drain > 0:
        for rung in (unit.config.battery_low_percent, _LEAST_PERCENT):
            if percent > rung:
                yield now_ms + round((percent - rung - 1) / drain * 3_600_000)
    if not wearer.coverage.settled(now_ms / 1000):
        yield now_ms


def _advance_samples(unit: TagUnit, end_ms: int) -> None:
    """The sampler's clocks go on, and what counts its samples has counted them."""
    sampler, tag, config, wearer = unit.sampler, unit.tag, unit.config, unit.wearer
    seconds = _passed(sampler._second_at, 1000, end_ms)
    sampler._second_at += seconds * 1000
    sampler._strap_at += _passed(sampler._strap_at, config.strap_sample_ms, end_ms) * config.strap_sample_ms
    housing = tag.housing
    housing._wait_s = [max(0, wait_s - seconds) for wait_s in housing._wait_s]
    housing._calm = -1
    minutes = _passed(sampler._battery_at, 60_000, end_ms)
    if minutes:
        sampler._battery_at += minutes * 60_000
        wearer.now_s = (sampler._battery_at - 60_000) / 1000
        battery = wearer.battery_percent
        _advance_skin(unit, end_ms)
        wearer.now_s = end_ms / 1000
        tag.feed_battery(sampler._battery_at - 60_000, battery, wearer.battery_mv)
    else:
        _advance_skin(unit, end_ms)
    sky = tag._positioning._sky
    sky._minute_at += _passed(sky._minute_at, 60_000, end_ms) * 60_000
    sampler._due = min(sampler._strap_at, sampler._second_at, sampler._skin_at, sampler._battery_at)


def _passed(first_ms: int, period_ms: int, end_ms: int) -> int:
    """How many of these moments lie before the end."""
    return max(0, -(-(end_ms - first_ms) // period_ms))


def _advance_skin(unit: TagUnit, end_ms: int) -> None:
    sampler, skin, wearer = unit.sampler, unit.tag.skin, unit.wearer
    period_ms = unit.config.skin_sample_ms
    count = _passed(sampler._skin_at, period_ms, end_ms)
    while count and not _is_settled(unit, sampler._skin_at / 1000):
        wearer.now_s = sampler._skin_at / 1000
        unit.tag.feed_skin(sampler._skin_at, wearer.skin_centi_c, wearer.ambient_centi_c)
        sampler._skin_at += period_ms
        count -= 1
    if not count:
        return
    passed_s = count * (period_ms // 1000)
    sampler._skin_at += count * period_ms
    last_s = (sampler._skin_at - period_ms) / 1000
    _skip_heat(wearer.heat, last_s)
    wearer.now_s = last_s
    unit.tag.skin_centi_c = skin_now = wearer.skin_centi_c
    skin._minute_s = (skin._minute_s + passed_s) % 60
    if not unit.tag.armed:
        return
    skin._before, skin._falls = skin_now, 0
    skin._alike_s = skin._still_s = 0
    excuse_s = skin._excuse_s
    skin._excuse_s = max(0, excuse_s - passed_s)
    warm_s = passed_s - excuse_s
    if warm_s > 0 and not unit.tag.situation.charging:
        skin._off = False
        skin._warm_s += warm_s
    elif warm_s > 0:
        skin._warm_s = 0


def _skip_heat(heat: Any, now_s: float) -> None:
    """Temperatures that have settled only follow the day: two minutes of it are enough to be where they are then."""
    if now_s - heat._now > 600:
        heat._now = now_s - 120
        heat._limb_c = heat._inner_c = heat._limb_goal(heat._now)
        heat._outer_c = heat.around_c


def _advance_broadcast(broadcast: Any, count: int, end_ms: int) -> None:
    broadcast._counter += count
    while broadcast._counter > broadcast._reserved:
        broadcast._reserved += 4096
        broadcast._memory.put("counter", broadcast._reserved)
    broadcast._quick = 0
    while end_ms >= broadcast._slot_ends:
        broadcast._enter(broadcast.slot.index + 1, broadcast._slot_ends)
