# ruff: noqa: SLF001 - folding is the one place that knows a tag's and a station's insides; its tests hold it to their own word
"""Quiet stretches worked out instead of lived through: nothing in the world changes, nothing waits, nobody has anything to say.

A stretch ends before whatever comes next: a stimulus, a deadline of the tag that is more than its next heartbeat or call, a movement that
would be told; and with anything else that reaches the tag. Then tag and station are what they would be, but for what is drawn: in which
millisecond the next heartbeat comes, and how long ago the last call was. That is why times that hang on a call may differ, by BOUND_S at
most, and why they cannot be the same: the draws of the heartbeats that were not made are not made either.
"""

from collections.abc import Iterator
from copy import copy
from random import Random
from typing import Any, Protocol

from strapline_gateway.calls import CONTACT_PERIOD_S
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_base import Base
from strapline_simulator.fleet.engine_receiver import AgendaReceiver
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.fold_advance import advance_broadcast, advance_samples
from strapline_simulator.fleet.fold_call import ImaginedCall, may_be_called, wants_call, wants_time
from strapline_simulator.fleet.fold_motion import KnownTravel, MotionFold
from strapline_simulator.world.radio import PATH_LOSS_EXPONENT, RSSI_AT_1_M_DBM, SENSITIVITY_DBM

BOUND_S = 150.0
"""From a call that was due each 120 s, with its heartbeats and tries, to what follows from its absence."""

_WORTH_MS, _WORTH_SEEKING_MS = 15_000, 5_000
_SURE_DB = 10.0
"""So far above or below what the radio hears at all, five times the fading, nobody is at the edge of its reach."""

_BEYOND_M = 10 ** ((RSSI_AT_1_M_DBM - SENSITIVITY_DBM + _SURE_DB) / (10 * PATH_LOSS_EXPONENT))
"""So far away nothing is heard of a tag."""

_ASK_HEARTBEATS, _QUICK_MS = 2.4, 1000
"""Quick heartbeats for each call that a tag asks for: as counted in unfolded hours. They come instead of those of their time."""

_CALL_COMES_S, _CALL_VARIES_S = 1.63, 0.55
"""From when a call is asked for until it stands: on average and its deviation, as counted in hours that were lived through."""

_BEGUN = 0.4
"""Behind a heartbeat so much of one fewer comes than in any stretch of that length (renewal theory)."""

_LOOK_AHEAD_S, _LOOK_STEP_S, _NEAR_C = 1800.0, 20.0, 0.05
"""How temperatures are tried out: in steps between which the gap goes no further than it went in them, and this."""

_LEAST_PERCENT = 12
"""Below it the battery's ladder and its sagging voltage are lived through."""


class Fold:
    """A stretch of one tag's life that is being passed over: until its end, or until something reaches the tag before.

    `span_ms`: its beginning, where the limb has something to tell, and where it ends at the latest.
    """

    __slots__ = ("_folder", "_motion", "_walked_from", "call", "end_ms", "is_home", "limit_ms", "start_ms", "unit")

    def __init__(
        self,
        folder: "Folder",
        unit: TagUnit,
        span_ms: tuple[int, int, int],
        motion: MotionFold,
        call: ImaginedCall | None,
        *,
        home: bool,
    ) -> None:
        self._folder = folder
        self.unit = unit
        self.start_ms, self.end_ms, self.limit_ms = span_ms
        self._motion = motion
        self._walked_from = unit.sampler._second_at // 1000
        self.call = call
        self.is_home = home

    def takes(self, sealed: bytes) -> bool:
        """Whether a call goes on in it, and this receipt is taken."""
        return self.call is not None and self.call.takes(sealed)

    def goes_on(self) -> bool:
        """At its end: whether that was only a word of the limb, which is told by now."""
        return self._folder.tell(self)

    def settle_motion(self, end_ms: int) -> MotionFold:
        """The detector as it would be then."""
        motion, walked = self._motion, max(-(-end_ms // 1000), self._walked_from)
        if motion.second != walked:
            motion = motion_fold(self.unit, self._walked_from)
            motion.walk(walked)
        motion.settle()
        return motion

    def go_on(self, now_ms: int, call: ImaginedCall) -> None:
        """The limb's word of this second has been told, and is called for; pass over what comes."""
        self._walked_from = now_ms // 1000 + 1
        self._motion = motion = motion_fold(self.unit, self._walked_from)
        self.start_ms, self.end_ms = now_ms, min(self.limit_ms, motion.walk(self.limit_ms // 1000) * 1000)
        self.call = call

    def settle(self, now_ms: int) -> None:
        """The tag as it would be now."""
        end_ms = min(now_ms, self.end_ms)
        motion = self.settle_motion(end_ms)
        # A second whose word has been told is over, to the last of its readings.
        self._folder.advance(self, motion, max(end_ms, (self._walked_from - 1) * 1000 + 1))


class Folded(Protocol):
    """The home that is folded."""

    agenda: Agenda
    base: Base
    receivers: dict[str, AgendaReceiver]
    units: list[TagUnit]


class Folder:
    """Of one home: tag by tag. Whatever reaches a tag ends its stretch first, so nothing else need be foreseen."""

    def __init__(self, home: Folded, seed: str) -> None:
        self._home = home
        self._random = Random(f"{seed}/fold")
        self.heartbeats = 0
        """Worked out, and not built."""
        self._cold: dict[str, tuple[float, float, float]] = {}
        """By tag: when its surroundings changed, when its skin may come near to them, and how far ahead that was tried out."""
        for unit in home.units:
            unit.on_spoken = self.consider
            # What is lived through between two stretches need not add up samples whose sum is known.
            motion: Any = unit.tag.motion
            motion._travel = KnownTravel(unit).travel

    def consider(self, unit: TagUnit) -> None:
        """Fold this tag from now on, where that is allowed and worth it."""
        now_ms = self._home.agenda.now_ms
        if not _is_tag_quiet(unit):
            return
        is_home = self._is_home(unit, now_ms)
        if is_home is None or not self._is_station_quiet(unit, is_home=is_home):
            return
        if unit.tag._presence.asked is not None and (is_home or not _may_wait(unit)):
            return
        call = None
        if is_home and wants_call(unit, now_ms):
            if not may_be_called(self._home.base, unit, now_ms / 1000):
                return
            call = ImaginedCall(self._home.agenda, self._home.base, unit, self._random, _call_period_s(unit))
        worth_ms = now_ms + (_WORTH_SEEKING_MS if unit.tag._positioning.power else _WORTH_MS)
        end_ms = min(self._home.agenda.until_ms, unit.next_stimulus_ms, *self._deadlines_ms(unit, now_ms, is_home))
        if end_ms < worth_ms or (end_ms := min(end_ms, self._warm_until_ms(unit, now_ms))) < worth_ms:
            return
        motion, limit_ms = motion_fold(unit, unit.sampler._second_at // 1000), end_ms
        end_ms = min(end_ms, motion.walk(end_ms // 1000) * 1000)
        if end_ms >= worth_ms:
            self._begin(Fold(self, unit, (now_ms, end_ms, limit_ms), motion, call, home=is_home))

    def tell(self, fold: Fold) -> bool:
        """The limb's word that has ended this stretch: told, and to be fetched by a call, so that it goes on; False where it does not."""
        unit, tag, now_ms = fold.unit, fold.unit.tag, self._home.agenda.now_ms
        if not fold.is_home or fold.limit_ms - now_ms < _WORTH_MS or len(tag.journal) or tag._positioning.power:
            return False
        if not (self._is_station_quiet(unit, is_home=True) and may_be_called(self._home.base, unit, now_ms / 1000)):
            return False
        fold.settle_motion(now_ms)
        self._beat(fold, now_ms)
        _read_motion(unit, now_ms)
        call = ImaginedCall(self._home.agenda, self._home.base, unit, self._random, _call_period_s(unit))
        fold.go_on(now_ms, call)
        self._begin(fold)
        return True

    def _begin(self, fold: Fold) -> None:
        fold.unit.fold(fold)
        if fold.call is not None:
            fold.call.begin()
        if fold.is_home:
            station, end_s = self._home.base.station, fold.end_ms / 1000
            enrolled = station._tags[fold.unit.ident]
            enrolled.heard_at = enrolled.near_at = end_s
            station._presence._deadlines.set(enrolled, end_s + station._presence._patience_s(enrolled))

    def keep_air(self, now_s: float) -> None:
        """Tags that are folded at home are heard: their common silence is none."""
        air = self._home.base.station._air
        if air._silence_due is not None and any(unit.folded and unit.folded.is_home for unit in self._home.units):
            air._heard_at, air._silence_due = now_s, now_s + 30.0

    # May it?

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
        if unit.ident not in base.station._tags:
            return False
        if wearer.path.is_under_way(now_ms / 1000):
            return False if wearer.path.from_home_m(now_ms / 1000) > _BEYOND_M else None
        if not base.is_on:
            return False
        mean = base.mean_dbm(wearer, now_ms / 1000) - wearer.damping_db
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
        if unit.tag._presence.asked is not None:
            return True  # it asks for home out of reach: the station waits by its own clock, the tag by its own
        return not enrolled.present and (unit.tag.away or not unit.tag.armed)

    def _deadlines_ms(self, unit: TagUnit, now_ms: int, is_home: bool) -> Iterator[int]:
        """What is more than the next heartbeat, or than a call."""
        yield from _deadlines_ms(unit, now_ms, is_home=is_home, has_station=unit.ident in self._home.base.station._tags)
        if unit.tag._positioning.power:
            yield self._home.receivers[unit.ident].first_fix_ms()

    # Do it.

    def advance(self, fold: Fold, motion: MotionFold, end_ms: int) -> None:
        """What of the stretch lies before this moment has happened."""
        unit, tag = fold.unit, fold.unit.tag
        advance_samples(unit, motion, end_ms)
        self._beat(fold, end_ms)
        if fold.call is not None and len(tag.journal):
            tag._broadcast.hurry(end_ms)
        if fold.is_home:
            called_ms = self._last_call_ms(unit, end_ms)
            tag._presence.heard_at = tag.reached_at = called_ms
            tag._presence.asked = None
            self._advance_station(unit, called_ms / 1000, end_ms / 1000)
        tag.stale = tag._touched = True
        self._home.receivers[unit.ident].resume()

    def _beat(self, fold: Fold, end_ms: int) -> None:
        """As many heartbeats as would have come."""
        unit, tag, broadcast, config = fold.unit, fold.unit.tag, fold.unit.tag._broadcast, fold.unit.config
        count = 0
        if broadcast.due < end_ms:
            mean_ms = (config.heartbeat_shortest_ms + config.heartbeat_longest_ms) / 2
            if tag._presence.asked is not None:
                count = min(broadcast._quick, (end_ms - broadcast.due) // config.quick_spacing_ms)
            wanted = count + 1 - _BEGUN + (end_ms - broadcast.due - count * config.quick_spacing_ms) / mean_ms
            if fold.is_home and tag.armed:
                calls = (end_ms - fold.start_ms) / 1000 / _call_period_s(unit)
                wanted += calls * _ASK_HEARTBEATS * max(0.0, 1 - _QUICK_MS / mean_ms)
            count = max(0, round(wanted))
            broadcast.due = end_ms + 1 + self._left_ms(config)
        if fold.call is not None and fold.call.at_ms <= end_ms:
            count += fold.call.heartbeats
        advance_broadcast(broadcast, count, end_ms)
        self.heartbeats += count

    def _last_call_ms(self, unit: TagUnit, end_ms: int) -> int:
        """Calls keep their rhythm from the last one that was made; little by little it is lost."""
        heard_at, period_ms = unit.tag._presence.heard_at, (_call_period_s(unit) + _CALL_COMES_S) * 1000
        count = (end_ms - heard_at) // period_ms
        called_ms = heard_at + count * period_ms + self._random.gauss(0, _CALL_VARIES_S * 1000) * count**0.5
        return int(max(heard_at, called_ms if called_ms <= end_ms else called_ms - period_ms))

    def _left_ms(self, config: Any) -> int:
        """Of the pause between two heartbeats that somebody looks into: the longer one is, the likelier that it is looked into."""
        shortest, longest = config.heartbeat_shortest_ms, config.heartbeat_longest_ms
        pause_ms = (shortest**2 + self._random.random() * (longest**2 - shortest**2)) ** 0.5
        return int(self._random.random() * pause_ms)

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
        if station._pseudonyms.newest(enrolled.keys) != broadcast.slot.index:
            station.resume({unit.ident: broadcast.slot.index})
        station._pseudonyms.heard(enrolled.keys, broadcast.slot.pseudonym, end_s)


def _call_period_s(unit: TagUnit) -> float:
    """How often a tag that is at home is called on, or asks for a call."""
    tag, config = unit.tag, unit.config
    if not tag.armed or tag.situation.resting:
        return CONTACT_PERIOD_S
    silence_s = config.home_silence_curfew_s if tag.situation.home_hours else config.home_silence_s
    return float(max(15, min(CONTACT_PERIOD_S, silence_s // 5)))


def _is_tag_quiet(unit: TagUnit) -> bool:
    tag, wearer = unit.tag, unit.wearer
    if unit.lines or tag._broadcast._burst or tag.journal.alarms:
        return False
    strap = tag.strap
    if strap._folded or (strap._odd_samples and not strap._altered) or strap.is_open != wearer.strap_open:
        return False
    if tag.strap_ohm != wearer.strap_ohm or wearer.jam or wearer.faults or tag.skin._wet != tag.situation.immersed:
        return False
    return _is_sky_quiet(unit) and _is_housing_quiet(unit)


def _may_wait(unit: TagUnit) -> bool:
    """Whether a tag that asks for home only waits: nothing but home, or the end of its patience, changes what it makes of the silence."""
    situation = unit.tag.situation
    return not (situation.home_hours or situation.doubted or situation.immersed or unit.tag._presence._asked_at_rest)


def _is_sky_quiet(unit: TagUnit) -> bool:
    positioning = unit.tag._positioning
    sky = positioning.sky
    if positioning._request is not None or positioning._silent_at is not None or sky._warned_at is not None:
        return False
    if positioning._interval_ms is not None and sky._drop_db:
        return False
    return sky._jam_at is None and sky._cell_dbm == unit.wearer.coverage.dbm(unit.agenda.now_ms / 1000)


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
    """From when on the gap may be within the margin, or it is hot, and up to when that is known; from now on: until it is over."""
    heat, config = copy(unit.wearer.heat), unit.config
    margin_c, hot_c = config.skin_margin_centi_c / 100 + _NEAR_C, config.too_hot_centi_c / 100 - 5
    begins_near = None
    at_s, gap_c, end_s = now_s, heat.skin_c(now_s) - heat.ambient_c(now_s), now_s + _LOOK_AHEAD_S
    while at_s < end_s:
        ambient_c = heat.outer_c
        next_c = heat.skin_c(at_s + _LOOK_STEP_S) - heat.ambient_c(at_s + _LOOK_STEP_S)
        nearest_c = min(abs(gap_c), abs(next_c)) - abs(next_c - gap_c)
        is_near = nearest_c <= margin_c or max(ambient_c, heat.outer_c) >= hot_c
        begins_near = is_near if begins_near is None else begins_near
        if is_near != begins_near:
            return (now_s if begins_near else at_s), at_s
        at_s, gap_c = at_s + _LOOK_STEP_S, next_c
    return (now_s if begins_near else end_s), end_s


def _deadlines_ms(unit: TagUnit, now_ms: int, *, is_home: bool, has_station: bool) -> Iterator[int]:
    """Of the tag: what is more than its next heartbeat, or than a call."""
    tag = unit.tag
    for part in (tag._beacon, tag._curfew, tag._positioning, tag._bearers, tag.dialogue):
        due = part.next_deadline()
        if due is not None:
            yield due
    if tag._presence.asked is not None:
        yield now_ms if (due := tag._presence.next_deadline()) is None else due
    if is_home and not wants_time(unit, now_ms):
        clock = tag.clock
        yield now_ms if clock._answered_at is None else clock._answered_at + unit.config.time_refresh_s * 1000
    if tag._positioning._interval_ms is not None:
        yield _unwarned_until_ms(unit)
    wearer = unit.wearer
    if wearer.path.is_under_way(now_ms / 1000) and not has_station:
        yield int(wearer.path.leg_until_s * 1000)
    elif wearer.path.is_under_way(now_ms / 1000):
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


def _unwarned_until_ms(unit: TagUnit) -> int:
    """So long nobody can have moved long enough without a position."""
    sky = unit.tag._positioning.sky
    minutes = -(-unit.config.no_fix_motion_s // 60) - sky._moved
    return int(sky.due + (minutes - 1) * 60_000)


def _read_motion(unit: TagUnit, now_ms: int) -> None:
    """The limb's reading of this second alone."""
    samples = unit.sampler._motion
    unit.wearer.now = now_ms
    unit.tag.feed_motion(now_ms, samples, unit.wearer.read_motion(samples))
    unit._note_made()


def motion_fold(unit: TagUnit, second: int) -> MotionFold:
    return MotionFold(unit.tag.motion, unit.wearer.moves(), second)
