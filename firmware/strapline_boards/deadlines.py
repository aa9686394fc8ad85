# What a part of a board says while nothing is due for it.
from strapline_wire.compat import const

NEVER = const(0x3FFFFFFFFFFFFFFF)
