"""A scenario that nobody wrote: a world and what happens in it, drawn from a seed. It expects next to nothing: it is run to be repeated."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from strapline_simulator.scenario import Scenario

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
    "motion": _one_of("still", "asleep", "awake", "walk", "run"),
    "strap_ohm": lambda random: random.randint(300, 3000),
    "surroundings": _one_of("room", "bed", "frost", "bath", "lake", "sauna"),
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
    "shelter": _one_of("street", "indoors", "lift", "metro", "car_park", "bath", "foil"),
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
}


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
    steps = [{"at": f"{random.uniform(20, duration_s):.3f}s", verb: _VERBS[verb](random)} for verb in verbs]
    return steps + _outage(random, duration_s)


def _outage(random: Random, duration_s: int) -> list[dict[str, Any]]:
    """In one scenario of three a part ends and starts again."""
    if random.random() >= 1 / 3:
        return []
    part = random.choice(("home", "ingress", "centre", "broker"))
    begins, ends = sorted(random.uniform(20, duration_s) for _ in range(2))
    return [{"at": f"{begins:.3f}s", "stop": part}, {"at": f"{ends:.3f}s", "start": part}]
