"""A scenario that nobody wrote: a world and what happens in it, drawn from a seed. It expects next to nothing: it is run to be repeated."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, get_args

from strapline_simulator.scenario import Scenario
from strapline_simulator.scenario.centre import PartName
from strapline_simulator.scenario.faults import AdapterState, ModemState, ReceiverState
from strapline_simulator.scenario.limb import Activity, Clothing, Surroundings
from strapline_simulator.scenario.places import ShelterName
from strapline_simulator.scenario.radio import RoomName

_HOME = (53.2487, 10.4078)
_SHORTEST_S, _LONGEST_S = 600, 1800
_FEWEST, _MOST = 4, 14

Draw = Callable[[Random], Any]


def _one_of(*values: Any) -> Draw:
    return lambda random: random.choice(values)


def _seconds(shortest: float, longest: float) -> Draw:
    return lambda random: f"{random.uniform(shortest, longest):.3f}s"


_YES = _one_of(True)
_SWITCH = _one_of(True, False)

_VERBS: Mapping[str, Draw] = {
    "go": lambda random: {"to": random.choice(("home", "work", "forest")), "within": _seconds(30, 600)(random)},
    "cut_strap": _YES,
    "open_strap": _seconds(0.02, 300),
    "close_strap": _YES,
    "take_off": _YES,
    "put_on": _YES,
    "ambient": lambda random: round(random.uniform(-20, 40), 1),
    "battery": lambda random: {"percent": random.randint(5, 100), "drain_per_h": random.randint(0, 60)},
    "case": _one_of("open", "closed"),
    "charger": _SWITCH,
    "immerse": _SWITCH,
    "limb": _one_of("warm", "cold"),
    "motion": _one_of(*get_args(Activity)),
    "strap_ohm": lambda random: random.randint(300, 3000),
    "surroundings": _one_of(*get_args(Surroundings)),
    "cell": _SWITCH,
    "radio_loss": lambda random: round(random.uniform(0, 0.9), 2),
    "jammer": _SWITCH,
    "locate": _seconds(10, 180),
    "new_keys": _YES,
    "curfew": lambda random: {
        "weekly": [{"window": random.choice(("may_leave", "stay_home")), "between": "07:00-21:00"}]
    },
    "config": lambda random: {"settings": {"beacon_period_s": random.randint(120, 600)}},
    "message": lambda random: {"text": f"Number {random.randint(1, 99)}", "answer_within": _seconds(60, 300)(random)},
    "press_button": _seconds(0.1, 4),
    "power_cut": _seconds(1, 60),
    "update": _one_of("good", "unsigned", "flipped"),
    "spoil_image": _YES,
    "shelter": _one_of(*get_args(ShelterName)),
    "sky": _one_of("open", "indoors", "none"),
    "spoofer": _one_of("forest", False),
    "zones": lambda random: [{"id": 1, "rule": "stay_in", "around": "home", "radius_m": random.randint(100, 3000)}],
    "gateway_battery": lambda random: random.randint(5, 100),
    "gateway_case": _one_of("open", "closed"),
    "gateway_line": _SWITCH,
    "gateway_mains": _SWITCH,
    "gateway_moved": _one_of("bump", "carried"),
    "gateway_schedule": _YES,
    "noise": _one_of(-50, -80, False),
    "record_radio": _SWITCH,
    "replay_radio": _seconds(10, 120),
    "clone_tag": _SWITCH,
    "broker_tampers": lambda random: {
        "drop": round(random.uniform(0, 0.3), 2),
        "alter": round(random.uniform(0, 0.3), 2),
    },
    "clothing": _one_of(*get_args(Clothing)),
    "enclose": lambda random: {"shelter": random.choice(get_args(ShelterName)), "within": _seconds(5, 120)(random)},
    "track": lambda random: {"file": "errand.csv", "begin": _seconds(0, 600)(random)},
    "gateway_goes": _one_of("home", "work", "with_wearer"),
    "room": _one_of(*get_args(RoomName)),
    "body_between": _one_of(True, False, "lying"),
    "adapter": _one_of(*get_args(AdapterState)),
    "radio_reports": lambda random: {
        "double": round(random.random(), 2),
        "late": round(random.random(), 2),
        "by": _seconds(0.1, 10)(random),
    },
    "line_noise": lambda random: {
        way: round(random.uniform(0.01, 0.3), 2) for way in ("flip", "halve", "lose", "double")
    },
    "foreign_tag": _SWITCH,
    "cell_delay": _seconds(0, 10),
    "modem": _one_of(*get_args(ModemState)),
    "receiver": _one_of(*get_args(ReceiverState)),
    "sensor": _one_of(
        {"of": "strap", "stuck": True},
        {"of": "skin", "noise": 20, "drift_per_h": -60},
        {"of": "skin", "fails": True},
        {"of": "ambient", "reads": 4000},
        {"of": "motion", "stuck": True},
        {"of": "battery", "noise": 3},
        {"of": "skin", "well": True},
    ),
    "flash_block": lambda random: {"block": random.randrange(4), "state": random.choice(("dead", "worn", "well"))},
    "brown_out": lambda random: random.randrange(65),
    "gateway_clock": lambda random: f"{random.choice('+-')}{random.randint(1, 30000)}s",
    "gateway_disk": _one_of("full", "ok"),
    "gateway_device": _one_of("restart", "swap", "damage"),
    "ingress_restart": _YES,
    "broker_queue": _one_of(0, 1, 20, False),
    "broker_forgets": _seconds(5, 60),
    "centre_clock": lambda random: f"{random.choice('+-')}{random.randint(1, 30000)}s",
    "ledger_locked": lambda random: round(random.random(), 2),
}
"""Not `acknowledge`, which is an error where no alert stands, and not `note`. `stop` and `start` come in pairs: `_outage`."""

_OF_PART = {"gateway_device": "home", "ingress_restart": "ingress", "broker_forgets": "broker"}
"""What ends a part, and starts it again a little later: once in a scenario, and then nothing else ends it."""


def random_scenario(seed: int) -> Scenario:
    """The same seed gives the same scenario; its own seed is another number of the same draw."""
    random = Random(f"strapline/scenario/{seed}")
    duration_s = random.randint(_SHORTEST_S, _LONGEST_S)
    steps = [{"at": "10s", "present_key": "arm"}, *_steps(random, duration_s)]
    return Scenario.model_validate({
        "name": f"random-{seed}",
        "title": f"Random scenario {seed}",
        "start": f"2026-03-{random.randint(1, 31):02}T{random.randint(0, 23):02}:00:00+00:00",
        "duration": f"{duration_s}s",
        "seed": random.randint(0, 1 << 31),
        "places": _places(random),
        "wearer": {"may_leave": random.choice(([], ["07:30-18:00"], ["00:00-23:59"]))},
        "steps": steps,
        "expect": [{"event": "started"}],
    })  # fmt: skip


def _places(random: Random) -> dict[str, Any]:
    near = {name: random.uniform(0.002, 0.05) for name in ("work", "forest")}
    places: dict[str, Any] = {"home": {"lat_deg": _HOME[0], "lon_deg": _HOME[1]}}
    for name, off in near.items():
        places[name] = {"lat_deg": round(_HOME[0] + off, 5), "lon_deg": round(_HOME[1] - off / 2, 5)}
    return places


def _steps(random: Random, duration_s: int) -> list[dict[str, Any]]:
    verbs = random.choices(list(_VERBS), k=random.randint(_FEWEST, _MOST))
    verbs = [verb for index, verb in enumerate(verbs) if verb not in _OF_PART or verb not in verbs[:index]]
    steps = [{"at": f"{random.uniform(20, duration_s):.3f}s", verb: _VERBS[verb](random)} for verb in verbs]
    ended = {_OF_PART[verb] for verb in verbs if verb in _OF_PART}
    return steps + _outage(random, duration_s, [part for part in get_args(PartName) if part not in ended])


def _outage(random: Random, duration_s: int, parts: Sequence[str]) -> list[dict[str, Any]]:
    """In one scenario of three a part ends and starts again."""
    if random.random() >= 1 / 3:
        return []
    part = random.choice(parts)
    begins, ends = sorted(random.uniform(20, duration_s) for _ in range(2))
    return [{"at": f"{begins:.3f}s", "stop": part}, {"at": f"{ends:.3f}s", "start": part}]
