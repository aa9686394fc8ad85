# MicroPython's `select.poll` on the virtual clock, over objects with an ioctl, as those of the virtual board.
import silicon

POLLIN = 1
POLLOUT = 4


class poll:
    def __init__(self):
        self._registered = []

    def register(self, thing, events=POLLIN | POLLOUT):
        self._registered.append((thing, events))

    def _ready(self):
        ready = []
        for thing, events in self._registered:
            found = thing.ioctl(3, events)
            if found:
                ready.append((thing, found))
        return ready

    def poll(self, timeout=-1):
        until = None if timeout < 0 else silicon.now + timeout
        while True:
            ready = self._ready()
            if ready or (until is not None and timeout and silicon.now >= until):
                return ready
            silicon.sleep(until)
            if not timeout:
                return self._ready()

    ipoll = poll
