# The self-check of every four hours.
from strapline_wire import frames


class Beacon:
    def __init__(self, config, battery, tell):
        self._config = config
        self._battery = battery
        self._tell = tell
        self._due = None

    def start(self, now: int) -> None:
        self._due = now + self._config.beacon_period_s * 1000

    def hasten(self, now: int) -> None:
        # The period may have become shorter.
        if self._due is not None:
            self._due = min(self._due, now + self._config.beacon_period_s * 1000)

    def stop(self) -> None:
        self._due = None

    def next_deadline(self) -> "int | None":
        return self._due

    def handle_timer(self, now: int) -> None:
        if self._due is not None and now >= self._due:
            period_ms = self._config.beacon_period_s * 1000
            self._due += ((now - self._due) // period_ms + 1) * period_ms
            self._tell(frames.EVENT_BEACON, now, self._battery.percent)
