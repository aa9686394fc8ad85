# What a tag asks of its body, as tuples (kind, …).
from strapline_wire.compat import const

ADVERTISE = const(1)  # (address, frame): one advertising event now
LINK_OPEN = const(2)  # (bearer,): dial
LINK_SEND = const(3)  # (bearer, data): bytes of the link, one frame each
LINK_CLOSE = const(4)  # (bearer,): hang up
GNSS_POWER = const(5)  # (on,)
VIBRATE = const(6)  # (ms,)
SHOW = const(7)  # (text,): UTF-8 for the display; empty: it is cleared
RESTART = const(8)  # (0,): from the boot program on

BLE = const(1)
CELLULAR = const(2)
