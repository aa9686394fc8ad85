# Home or away. Home is a BLE connection with a gateway that is the wearer's. It calls every two minutes; a tag that moves asks for a call
# more often, so that leaving is noticed in time. Once it has asked and home has been silent for as long as is set, the wearer has left.
# Who lies still goes nowhere: noise on the radio at night is no leaving. So in curfew hours the short silence counts from the first
# movement; without one it is the long one, for a sensor may be stuck.
from strapline_wire import frames
from strapline_wire.compat import const

_CALLED_S = const(120)  # a gateway calls so often without being asked
_SHORTEST_S = const(15)
_SHARE = const(5)  # asked this many times in the silence that counts as leaving
_TRIES = const(
    25
)  # quick heartbeats, until a gateway has come: where a third are lost, one silence in curfew hours still has ten
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

    def arm(self, now: int) -> None:
        self.heard_at = now
        self.asked = None
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

    def next_deadline(self) -> "int | None":
        situation = self._situation
        if not situation.armed or situation.away:
            return None
        config = self._config
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
        due = self.next_deadline()
        if due is None or now < due:
            return
        resting = self._situation.resting
        if self.asked is None or (self._asked_at_rest and not resting):
            self.asked = now
            self._asked_at_rest = resting
            self._hurry(now, _TRIES)
        else:
            self.asked = None
            self._situation.away = True
            self._tell(frames.EVENT_LEFT_HOME, now, (now - self.heard_at) // 1000)
