# MicroPython's `time` on the virtual clock: it moves while the program sleeps.
import silicon

_HALF = silicon.TICKS_PERIOD // 2


def ticks_ms():
    return (silicon.now + silicon.TICKS_AT_START) % silicon.TICKS_PERIOD


def ticks_us():
    return (silicon.now * 1000) % silicon.TICKS_PERIOD


def ticks_add(ticks, delta):
    return (ticks + delta) % silicon.TICKS_PERIOD


def ticks_diff(later, earlier):
    return (later - earlier + _HALF) % silicon.TICKS_PERIOD - _HALF


def sleep_ms(span):
    until = silicon.now + span
    while silicon.now < until:
        silicon.sleep(until)


def sleep(seconds):
    sleep_ms(int(seconds * 1000))


def sleep_us(span):
    pass


def time():
    return silicon.now // 1000
