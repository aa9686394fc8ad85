# Home or away. Home is a BLE connection with a gateway that is the wearer's; a silence ends it.
from strapline_wire import frames


class Presence:
    # tell(code, now, detail): an event.
    def __init__(self, config, situation, tell):
        self._config = config
        self._situation = situation
        self._tell = tell
        self._on_home_line = False  # the BLE connection is one with home
        self._heard = 0

    def arm(self, now: int) -> None:
        self._heard = now

    def welcomed(self, now: int, is_home: bool) -> None:
        self._on_home_line = is_home
        if is_home and self._situation.away:
            self._situation.away = False
            self._tell(frames.EVENT_CAME_HOME, now, 0)

    def heard(self, now: int) -> None:
        # Something came over BLE.
        if self._on_home_line:
            self._heard = now

    def next_deadline(self) -> "int | None":
        situation = self._situation
        return self._heard + self._config.home_silence_s * 1000 if situation.armed and not situation.away else None

    def handle_timer(self, now: int) -> None:
        due = self.next_deadline()
        if due is not None and now >= due:
            self._situation.away = True
            self._tell(frames.EVENT_LEFT_HOME, now, (now - self._heard) // 1000)
