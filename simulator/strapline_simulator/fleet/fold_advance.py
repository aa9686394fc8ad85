# ruff: noqa: SLF001 - folding is the one place that knows a tag's insides; its tests hold it to the tag's own word
"""A tag after a quiet stretch: its sampler, skin, sky and heartbeats as they would be had the stretch been lived through."""

from typing import Any

from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.fold_motion import MotionFold


def advance_samples(unit: TagUnit, motion: MotionFold, end_ms: int) -> None:
    """The sampler's clocks go on, and what counts its samples has counted them."""
    sampler, tag, config, wearer = unit.sampler, unit.tag, unit.config, unit.wearer
    seconds = _passed(sampler._second_at, 1000, end_ms)
    sampler._second_at += seconds * 1000
    sampler._strap_at += _passed(sampler._strap_at, config.strap_sample_ms, end_ms) * config.strap_sample_ms
    housing = tag.housing
    housing._wait_s = [max(0, wait_s - seconds) for wait_s in housing._wait_s]
    housing.calm = -1
    minutes = _passed(sampler._battery_at, 60_000, end_ms)
    if minutes:
        sampler._battery_at += minutes * 60_000
        wearer.now = sampler._battery_at - 60_000
        battery = wearer.battery_percent
        _advance_skin(unit, end_ms)
        wearer.now = end_ms
        tag.feed_battery(sampler._battery_at - 60_000, battery, wearer.battery_mv)
    else:
        _advance_skin(unit, end_ms)
    _advance_sky(tag._positioning, motion, end_ms)
    sampler.due = min(sampler._strap_at, sampler._second_at, sampler._skin_at, sampler._battery_at)


def _passed(first_ms: int, period_ms: int, end_ms: int) -> int:
    """How many of these moments lie before the end."""
    return max(0, -(-(end_ms - first_ms) // period_ms))


def _advance_skin(unit: TagUnit, end_ms: int) -> None:
    sampler, skin, wearer = unit.sampler, unit.tag.skin, unit.wearer
    period_ms = unit.config.skin_sample_ms
    count = _passed(sampler._skin_at, period_ms, end_ms)
    while count and not _is_settled(unit, sampler._skin_at / 1000):
        wearer.now = sampler._skin_at
        unit.tag.feed_skin(sampler._skin_at, wearer.skin_centi_c, wearer.ambient_centi_c)
        sampler._skin_at += period_ms
        count -= 1
    if not count:
        return
    passed_s = count * (period_ms // 1000)
    sampler._skin_at += count * period_ms
    last_s = (sampler._skin_at - period_ms) / 1000
    _skip_heat(wearer.heat, last_s)
    wearer.now = sampler._skin_at - period_ms
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
    if now_s - heat.now > 600:
        heat.now = now_s - 120
        heat._limb_c = heat.inner_c = heat._limb_goal(heat.now)
        heat.outer_c = heat.around_c


def _advance_sky(positioning: Any, motion: MotionFold, end_ms: int) -> None:
    """Minute by minute, who moved in it without a position."""
    sky, is_wanted = positioning.sky, positioning._interval_ms is not None
    if is_wanted:
        moves = motion.moving_at
    elif not sky._moved:
        count = _passed(sky.due, 60_000, end_ms)
        sky.due += count * 60_000
        sky._minute = (sky._minute + count) % len(sky._minutes)
        return
    while sky.due < end_ms:
        new = int(is_wanted and moves(sky.due // 1000))
        at = sky._minute
        sky._minute = (at + 1) % len(sky._minutes)
        sky._moved += new - sky._minutes[at]
        sky._minutes[at] = new
        sky.due += 60_000


def advance_broadcast(broadcast: Any, count: int, end_ms: int) -> None:
    broadcast._counter += count
    while broadcast._counter > broadcast._reserved:
        broadcast._reserved += 4096
        broadcast._memory.put("counter", broadcast._reserved)
    broadcast._quick = 0
    while end_ms >= broadcast._slot_ends:
        broadcast._enter(broadcast.slot.index + 1, broadcast._slot_ends)


def _is_settled(unit: TagUnit, now_s: float) -> bool:
    """Whether in no minute the gap closes as it does off the body, so that only its being there matters."""
    heat = unit.wearer.heat
    skin_c, ambient_c, goal_c = heat.skin_c(now_s), heat.ambient_c(now_s), heat._limb_goal(now_s)
    left = abs(skin_c - goal_c) + abs(heat._limb_c - goal_c) + abs(ambient_c - heat.around_c)
    return left * 100 < unit.config.relaxing_percent * abs(skin_c - ambient_c) * 0.8
