# Home or away. Home is a BLE connection with a gateway that is the wearer's. It calls every two minutes; a tag that moves asks for a call
# more often, so that leaving is noticed in time. Once it has asked and home has been silent for as long as is set, the wearer has left.
# Who lies still goes nowhere: noise on the radio at night is no leaving. So in curfew hours the short silence counts from the first
# movement; without one it is the long one, for a sensor may be stuck.
# Water and an iron tub swallow the radio. So of who is in water, and does not walk, silence alone says nothing: home or not is in doubt,
# the receiver goes on, and positions that go elsewhere say that they have left. So do steps, or an hour; whoever surfaces asks once more.
from strapline_wire import frames
from strapline_wire.compat import const

_CALLED_S = const(120)  # a gateway calls so often without being asked
_SHORTEST_S = const(15)
_SHARE = const(5)  # asked this many times in the silence that counts as leaving
_TRIES = const(
    25
)  # quick heartbeats, until a gateway has come: where a third are lost, one silence in curfew hours still has ten
_WALK_MS = const(
    40000
)  # so much of walking since home was asked for is the way out; four times as long without undoes it
_SATELLITE = const(2)  # `mode` without a base station


class Presence:
    # tell(code, now, detail): an event; hurry(now, count): heartbeats at once, for a gateway to hear.
    def __init__(self, config, situation, tell, hurry):
        self._config = config
        self._situation = situation
        self._tell = tell
        self._hurry = hurry
        self._on_home_line = False  # the BLE connection is one with home
        self.heard_at = 0  # home
        self.asked = None  # since when a call is wanted
        self._asked_at_rest = False
        self._walked = 0  # ms, since it is wanted
        self._looked_at = 0

    def arm(self, now: int) -> None:
        self.heard_at = now
        self.asked = None
        self._situation.doubted = False
        if self._config.mode == _SATELLITE:
            self._situation.away = True

    def welcomed(self, now: int, is_home: bool) -> bool:
        # Whether this is home.
        self._on_home_line = is_home = is_home and self._config.mode != _SATELLITE
        if is_home and self._situation.away:
            self._situation.away = False
            self._tell(frames.EVENT_CAME_HOME, now, 0)
        return is_home

    def heard(self, now: int) -> None:
        # Something came over BLE.
        if self._on_home_line:
            self.heard_at = now
            self.asked = None
            self._situation.doubted = False

    def next_deadline(self) -> "int | None":
        situation = self._situation
        if not situation.armed or situation.away:
            return None
        config = self._config
        if situation.doubted:
            return self.heard_at if situation.found_out else self.heard_at + config.water_excuse_s * 1000
        silence_s = config.home_silence_curfew_s if situation.home_hours else config.home_silence_s
        if self.asked is not None:
            if situation.resting:
                silence_s = max(silence_s, config.home_silence_s)
            return self.asked + silence_s * 1000
        if not situation.resting:
            silence_s = max(_SHORTEST_S, min(_CALLED_S, silence_s // _SHARE))
        else:
            silence_s = _CALLED_S
        return self.heard_at + silence_s * 1000

    def handle_timer(self, now: int) -> None:
        situation = self._situation
        if self._walked < _WALK_MS:
            passed = now - self._looked_at
            self._walked = self._walked + passed if situation.moving else max(0, self._walked - passed // 4)
        self._looked_at = now
        still = situation.immersed and self._walked < _WALK_MS
        due = self.next_deadline()
        if due is None:
            situation.doubted = False
        elif situation.doubted and not still:
            # Nothing explains the silence any more.
            situation.doubted = False
            self._hurry_home(now)
        elif now >= due:
            if self.asked is None or (self._asked_at_rest and not situation.resting):
                self._walked = 0
                self._hurry_home(now)
            elif still and not situation.doubted:
                situation.found_out = False
                situation.doubted = True
            else:
                self.asked = None
                situation.doubted = False
                situation.away = True
                self._tell(frames.EVENT_LEFT_HOME, now, (now - self.heard_at) // 1000)

    def _hurry_home(self, now: int) -> None:
        self.asked = now
        self._asked_at_rest = self._situation.resting
        self._hurry(now, _TRIES)
