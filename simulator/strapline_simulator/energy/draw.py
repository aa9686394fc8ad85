"""What a tag draws while it runs: the charge of each thing that it does, at the moment when it does it. Reckoned, as all of this folder."""

from functools import cache

from strapline_simulator.energy.activity import Activity
from strapline_simulator.energy.boards import Board, Figures, Profile
from strapline_simulator.energy.budget import hour_of
from strapline_tag import outputs
from strapline_tag.config import Config

_MICRO_COULOMB_PER_MAH = 3.6e6
_HOUR_S = 3600.0

_NOTHING = Activity(
    advertisements=0.0,
    connections=0.0,
    connected_s=0.0,
    frames=0.0,
    records=0.0,
    gnss_s=0.0,
    dials=0.0,
    line_s=0.0,
    standby_s=0.0,
    strap_samples=_HOUR_S * 1000 / Config.strap_sample_ms,
    skin_samples=_HOUR_S * 1000 / Config.skin_sample_ms,
)
"""An hour of a tag that only looks at its sensors."""


class Draw:
    """A `Meter` of one tag, on a board with the chips of a profile. Sensors draw evenly; a record's writing is left out."""

    def __init__(self, board: str, profile: str, figures: Figures) -> None:
        self._costs = _Costs(figures.boards[board], figures.profiles[profile], figures)
        self._spent_uc = 0.0
        self._since_s = 0.0
        self._on: set[str] = set()

    def output(self, now_s: float, kind: int, content: bytes) -> None:
        """The tag does something."""
        if kind == outputs.ADVERTISE:
            self._spent_uc += self._costs.of("advertisements")
        elif kind == outputs.LINK_SEND:
            self._spent_uc += self._costs.of("frames")
        elif kind == outputs.LINK_OPEN:
            self._spent_uc += self._costs.of("dials")
        elif kind == outputs.GNSS_POWER:
            self._switch(now_s, "gnss_s", on=bool(content[0]))

    def line(self, now_s: float, bearer: int, *, up: bool) -> None:
        """A connection comes or goes."""
        if up and bearer == outputs.BLE:
            self._spent_uc += self._costs.of("connections")
        self._switch(now_s, "connected_s" if bearer == outputs.BLE else "line_s", on=up)

    def charge_uc(self, now_s: float) -> float:
        """Since the beginning, µC."""
        return self._spent_uc + max(0.0, now_s - self._since_s) * self.level_ua

    @property
    def level_ua(self) -> float:
        """What it draws evenly now, µA."""
        return self._costs.idle_ua + sum(self._costs.of(what) for what in self._on)

    def _switch(self, now_s: float, what: str, *, on: bool) -> None:
        self._spent_uc = self.charge_uc(now_s)
        self._since_s = max(now_s, self._since_s)
        (self._on.add if on else self._on.discard)(what)


class _Costs:
    """What `hour_of` reckons for one of a thing, or for a second of it: µC."""

    def __init__(self, board: Board, profile: Profile, figures: Figures) -> None:
        profile = profile.model_copy(update={"gnss_s_per_hour": None})

        def hour_uc(activity: Activity) -> float:
            return sum(hour_of(activity, board, profile, figures).values()) * _MICRO_COULOMB_PER_MAH

        idle_uc = hour_uc(_NOTHING)
        self.idle_ua = idle_uc / _HOUR_S
        self.of = cache(lambda what: hour_uc(_NOTHING._replace(**{what: 1.0})) - idle_uc)
