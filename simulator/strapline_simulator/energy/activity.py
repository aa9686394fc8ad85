"""What a tag does in an hour of each state, counted in a simulated run of the firmware."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_tag import outputs
from strapline_tag.config import Config

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_BEGUN_S = _HOUR_S
"""The first hour of a state is left out: what begins with it (a first fix, a burst) is part of a day, but not of every hour."""

STATES = {
    "home": (_BEGUN_S, _DAY_S - _HOUR_S),
    "away": (_DAY_S + _BEGUN_S, 2 * _DAY_S - _HOUR_S),
    "violation": (2 * _DAY_S + _BEGUN_S, 2 * _DAY_S + 6 * _HOUR_S),
}
"""From when to when `states.yaml` is in each state, s."""


class Activity(NamedTuple):
    """What happens in an hour; seconds per hour where the name says so."""

    advertisements: float
    connections: float
    connected_s: float
    frames: float
    records: float
    gnss_s: float
    dials: float
    line_s: float
    standby_s: float
    strap_samples: float
    skin_samples: float


class Meter:
    """Notes what leaves a tag, and when its lines and its receiver are on."""

    def __init__(self) -> None:
        self._moments: list[tuple[float, str]] = []
        self._spans: list[tuple[str, float, float]] = []
        self._since: dict[str, float] = {}

    def output(self, now_s: float, kind: int, content: bytes) -> None:
        """Told of each of the tag's outputs."""
        if kind == outputs.ADVERTISE:
            self._moments.append((now_s, "advertisement"))
        elif kind == outputs.LINK_SEND:
            self._moments.append((now_s, "frame"))
        elif kind == outputs.LINK_OPEN:
            self._moments.append((now_s, "dial"))
        elif kind == outputs.GNSS_POWER:
            self._switch(now_s, "gnss", on=bool(content[0]))

    def line(self, now_s: float, bearer: int, *, up: bool) -> None:
        """Told when a connection comes and goes."""
        if up and bearer == outputs.BLE:
            self._moments.append((now_s, "connection"))
        self._switch(now_s, "ble" if bearer == outputs.BLE else "line", on=up)

    def count(self, what: str, start_s: float, end_s: float) -> int:
        return sum(1 for at, name in self._moments if name == what and start_s <= at < end_s)

    def on_s(self, what: str, start_s: float, end_s: float) -> float:
        """For how long it was on between the two."""
        spans = self._spans + [(name, since, end_s) for name, since in self._since.items()]
        return sum(max(0.0, min(end, end_s) - max(start, start_s)) for name, start, end in spans if name == what)

    def _switch(self, now_s: float, what: str, *, on: bool) -> None:
        if on:
            self._since.setdefault(what, now_s)
        elif what in self._since:
            self._spans.append((what, self._since.pop(what), now_s))


@cache
def count_activities(body: str = "model") -> dict[str, Activity]:
    """Run the firmware through all states and count; by state. Once a process: the run is always the same."""
    meter = Meter()
    scenario = load_scenario(str(files("strapline_simulator.energy") / "states.yaml"))
    report = run_scenario(scenario, Options(body=body, air="frames", meter=meter)).report
    made = [event.t_s for event in report.events] + [position.t_s for position in report.positions]
    found = {}
    for state, (start_s, end_s) in STATES.items():
        hours = (end_s - start_s) / _HOUR_S
        line_s = meter.on_s("line", start_s, end_s) / hours
        found[state] = Activity(
            advertisements=meter.count("advertisement", start_s, end_s) / hours,
            connections=meter.count("connection", start_s, end_s) / hours,
            connected_s=meter.on_s("ble", start_s, end_s) / hours,
            frames=meter.count("frame", start_s, end_s) / hours,
            records=sum(1 for t_s in made if start_s <= t_s < end_s) / hours,
            gnss_s=meter.on_s("gnss", start_s, end_s) / hours,
            dials=meter.count("dial", start_s, end_s) / hours,
            line_s=line_s,
            standby_s=0.0
            if state == "home"
            else _HOUR_S - line_s,  # away the modem listens, so that the network can page it
            strap_samples=_HOUR_S * 1000 / Config.strap_sample_ms,
            skin_samples=_HOUR_S * 1000 / Config.skin_sample_ms,
        )
    return found
