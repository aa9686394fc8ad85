# The check of seven points: before monitoring begins, and daily from then on.
from strapline_wire import frames
from strapline_wire.compat import const

_FAULT_STRAP = const(1)  # bits of what the body says of its parts
_FAULT_SKIN = const(2)
_FAULT_MOTION = const(8)
_FAULT_RECEIVER = const(16)
_FAULT_FLASH = const(128)
_DAY_MS = const(86400000)
_COLD_CENTI_C = const(2000)  # R51: a cold limb
_HOT_CENTI_C = const(4200)  # no living skin is warmer


def check(tag, config, now: int, tell) -> bool:
    # Tells which failed. False where one must not: without the loop or the journal nothing can be monitored.
    faults = tag.faults
    no_strap = tag.strap.is_open or not 0 < tag.strap_ohm < config.strap_open_ohm or faults & _FAULT_STRAP
    no_flash = faults & _FAULT_FLASH
    failed = 0
    for point in (
        no_flash or not tag.clock.trusted(now),  # records are kept, and their time is known
        tag.reached_at is None or now - tag.reached_at > _DAY_MS,  # a gateway answers
        faults & _FAULT_RECEIVER,
        faults & _FAULT_MOTION,
        tag.battery.percent < config.check_battery_percent,
        not _COLD_CENTI_C <= tag.skin_centi_c <= _HOT_CENTI_C or faults & _FAULT_SKIN,
        no_strap,  # the loop is closed, and what it reads can be compared with later
    ):
        failed = failed << 1 | bool(point)
    tell(frames.EVENT_CHECKED, now, failed)
    return not (no_strap or no_flash)
