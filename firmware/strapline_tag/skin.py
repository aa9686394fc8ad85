# Body heat, the second vote. A body keeps the sensor on its skin apart from its surroundings, whatever these do; off the body it relaxes to
# their temperature within minutes, and then follows their every change.
# Heat alone never alarms. With the strap's vote it does after two minutes. Without it, as a bypass leaves it, only where the tag went cold
# as a thing does and has lain still for long. Where surroundings are as warm as skin it says nothing, and unsays nothing.
from strapline_wire import frames
from strapline_wire.compat import const

_ALIVE_LOW = const(500)  # skin: 5 °C, where it soon freezes, to 44 °C, where it burns
_ALIVE_HIGH = const(4400)


class Skin:
    def __init__(self, config, situation, tell):
        self._config = config
        self._situation = situation
        self._tell = tell
        self._wet = False
        self.arm()

    def arm(self) -> None:
        # What was before arming does not vote: a tag that was armed off the body says so again.
        self.lost = self._removed = self._off = False
        self._alike_s = self._still_s = self._warm_s = self._minute_s = self._excuse_s = 0
        self._before = self._first = 0
        self._falls = 0  # minutes in a row in which the gap closed as it does off the body

    def sample(self, now: int, skin: int, ambient: int) -> None:
        # Both in 0.01 °C.
        situation = self._situation
        if not situation.armed:
            return
        config = self._config
        step_s = config.skin_sample_ms // 1000
        gap = abs(skin - ambient)
        alike = gap <= config.skin_margin_centi_c
        self._minute_s += step_s
        if self._minute_s >= 60:
            self._minute_s = 0
            if not alike:
                nearer = abs(self._before - ambient) - gap
                self._falls = self._falls + 1 if nearer * 100 >= gap * config.relaxing_percent else 0
            self._before = skin
        if situation.immersed != self._wet:
            self._wet = situation.immersed
            self._excuse_s = config.water_excuse_s
        if self._excuse_s > 0 or not alike:
            self._alike_s = self._still_s = 0
        if self._excuse_s > 0:
            self._excuse_s -= step_s
        elif not alike:
            if self._falls or situation.charging or not _ALIVE_LOW <= skin <= _ALIVE_HIGH:
                self._warm_s = 0
                return
            self._off = False
            self._warm_s += step_s
            if self.lost and self._warm_s > config.skin_back_s:
                self.lost = False
                self._tell(frames.EVENT_SKIN_BACK, now, skin)
        elif not config.balance_low_centi_c < ambient < config.balance_high_centi_c:
            self._alike(now, skin, ambient, step_s)

    def _alike(self, now: int, skin: int, ambient: int, step_s: int) -> None:
        config = self._config
        situation = self._situation
        self._warm_s = 0
        self._alike_s += step_s
        same = situation.resting and not situation.charging and abs(skin - ambient) <= config.same_centi_c
        if not same or not self._still_s:
            self._first = ambient
        self._still_s = self._still_s + step_s if same else 0
        if self._falls > 1 or abs(ambient - self._first) >= config.followed_centi_c:
            self._off = True
        if not self.lost and self._alike_s > config.skin_lost_s:
            self.lost = True
            self._tell(frames.EVENT_SKIN_LOST, now, skin)
        if not self._removed and (
            self._alike_s > config.removed_s
            if situation.strap_latched
            else self._off
            and self._still_s > config.removed_still_s
            and not config.cool_centi_c < ambient < _ALIVE_HIGH
        ):
            self._removed = True
            self._tell(frames.EVENT_REMOVED, now, skin)
