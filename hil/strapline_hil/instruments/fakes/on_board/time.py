# MicroPython's `time`, in which sleeping is left to the fake: on a virtual rig it is the rig's time that passes.
from struct import pack

import silicon
from utime import *  # the interpreter's own, under its old name


def sleep_ms(span):
    silicon.ask(0x73, pack("<I", span))
