# What MicroPython has and CPython lacks, for sources that run on both.
try:
    from micropython import const
except ImportError:

    def const(value):
        return value
