# The tag's housing: case, charger, water and heat. Levels, sampled each second; they must last, so that a splash or a loose plug is not
# told.
from strapline_wire import frames
from strapline_wire.compat import const

_CASE = const(0)
_CHARGER = const(1)
_WATER = const(2)
_BEGINS = bytes(
    (frames.EVENT_CASE_OPEN, frames.EVENT_CHARGING, frames.EVENT_IMMERSED)
)  # what ends them is the next number


class Housing:
    # tell(code, now, detail): an event, where the tag is armed.
    def __init__(self, config, situation, battery, tell):
        self._config = config
        self._situation = situation
        self._battery = battery
        self._tell = tell
        self._levels = bytearray(3)  # as told
        self._lasted = bytearray(3)  # samples with another level
        self._wait_s = [0, 0, 0]  # until it may begin again: a contact that is played with must not fill the journal
        self._untold = 0  # the case was open while it might not be told
        self.calm = -1  # readings, as bits, that change nothing; -1: something is being counted
        self._immersed_at = 0
        self._hot = False

    def arm(self) -> None:
        self._levels[_CASE] = self._untold = 0  # open while it is armed: that is told
        self._wait_s[_CASE] = 0
        self.calm = -1

    def sample(self, now: int, case_open: int, charging: int, immersed: int) -> None:
        read = (1 if case_open else 0) | (2 if charging else 0) | (4 if immersed else 0)
        if read == self.calm:
            return
        self._level(now, _CASE, case_open)
        self._level(now, _CHARGER, charging)
        self._level(now, _WATER, immersed)
        busy = self._untold
        for which in (_CASE, _CHARGER, _WATER):
            busy |= self._lasted[which] | self._wait_s[which]
        self.calm = -1 if busy else read

    def _level(self, now: int, which: int, level: int) -> None:
        level = 1 if level else 0
        config = self._config
        situation = self._situation
        wait_s = self._wait_s[which]
        if wait_s:
            self._wait_s[which] = wait_s - 1
            if which == _CASE and not self._levels[_CASE]:
                self._untold |= level
        elif which == _CASE and self._untold:
            level = 1
            self._untold = 0
        lasted = self._lasted[which] + 1
        if level == self._levels[which]:
            lasted = 0
        elif (which == _CASE or lasted >= config.steady_samples) and not (wait_s and level):
            lasted = detail = 0
            self._levels[which] = level
            if level:
                self._wait_s[which] = config.told_again_s
            if which == _CHARGER:
                situation.charging = level > 0
                detail = self._battery.percent
            elif which == _WATER:
                situation.immersed = level > 0
                if level:
                    self._immersed_at = now
                else:
                    detail = (now - self._immersed_at) // 1000
            self._tell(_BEGINS[which] + 1 - level, now, detail)
        self._lasted[which] = lasted & 127

    def heat(self, now: int, ambient_centi_c: int) -> None:
        limit = self._config.too_hot_centi_c
        if not self._hot and ambient_centi_c >= limit:
            self._hot = True
            self._tell(frames.EVENT_TOO_HOT, now, ambient_centi_c)
        elif ambient_centi_c <= limit - 500:
            self._hot = False
