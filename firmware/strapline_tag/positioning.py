# When the receiver is on, and which of its positions become records.
from strapline_wire.compat import const

_SILENCE_MS = const(300)  # a receiver sends an epoch in one go: silence ends it


class Positioning:
    # on_fix(now, position); on_no_fix(now): none in the time allowed.
    def __init__(self, config, parser, on_fix, on_no_fix):
        self._config = config
        self._parser = parser
        self._on_fix = on_fix
        self._on_no_fix = on_no_fix
        self.power = False
        self._interval_ms = None  # None: no positions are wanted (at home: R50)
        self._next_at = None
        self._started = 0
        self._silent_at = None

    def want(self, now: int, interval_s: "int | None") -> None:
        # A position each `interval_s` from now on, or none at all.
        interval_ms = None if interval_s is None else interval_s * 1000
        if interval_ms == self._interval_ms:
            return
        if interval_ms is None:
            self._off()
            self._next_at = None
        elif self._interval_ms is None:
            self._start(now)
        elif self._next_at is not None:
            self._next_at = min(self._next_at, now + interval_ms)
        self._interval_ms = interval_ms

    def _start(self, now: int) -> None:
        self.power = True
        self._started = now
        self._next_at = None

    def _off(self) -> None:
        self.power = False
        self._silent_at = None
        self._parser.reset()

    def next_deadline(self) -> "int | None":
        if not self.power:
            return self._next_at
        if self._config.log_every_epoch:
            return self._silent_at
        give_up = self._started + self._config.fix_timeout_s * 1000
        return give_up if self._silent_at is None else min(give_up, self._silent_at)

    def feed(self, now: int, data: bytes) -> None:
        # Bytes from the receiver.
        if self.power:
            self._silent_at = now + _SILENCE_MS
            self._parser.feed(data)
            self._take(now)

    def handle_timer(self, now: int) -> None:
        if self._silent_at is not None and now >= self._silent_at:
            self._silent_at = None
            self._parser.flush()
            self._take(now)
        if self.power:
            if not self._config.log_every_epoch and now >= self._started + self._config.fix_timeout_s * 1000:
                self._rest(now)
                self._on_no_fix(now)
        elif self._next_at is not None and now >= self._next_at:
            self._start(now)

    def _take(self, now: int) -> None:
        while True:
            position = self._parser.take()
            if position is None:
                return
            self._on_fix(now, position)
            if not self._config.log_every_epoch:
                self._rest(now)
                return

    def _rest(self, now: int) -> None:
        self._off()
        self._next_at = max(now + 1000, self._started + self._interval_ms)
