"""What a scenario asks of a rig: which instruments follow from its verbs, and what no rig can do at all."""

from strapline_simulator.scenario import Scenario, Step
from strapline_simulator.world.heat import SURROUNDINGS

_STRAP, _HEAT, _CONTACTS, _SUPPLY = "strap-relay", "heater", "contacts", "scpi-supply"
_MOTION, _GNSS, _MAINS, _HAND = "shaker", "gnss-injector", "mains-relay", "by-hand"

_OF_VERBS: dict[str, tuple[str, ...]] = {
    "present_key": (_HAND,),
    "cut_strap": (_STRAP,),
    "open_strap": (_STRAP,),
    "close_strap": (_STRAP,),
    "strap_ohm": (_STRAP,),
    "take_off": (_HEAT,),
    "put_on": (_HEAT,),
    "ambient": (_HEAT,),
    "limb": (_HEAT,),
    "clothing": (_HEAT,),
    "surroundings": (_HEAT, _CONTACTS),
    "immerse": (_CONTACTS,),
    "case": (_CONTACTS,),
    "charger": (_CONTACTS,),
    "press_button": (_CONTACTS,),
    "battery": (_SUPPLY,),
    "power_cut": (_SUPPLY,),
    "motion": (_MOTION,),
    "go": (_GNSS, _MOTION),
    "track": (_GNSS, _MOTION),
    "sky": (_GNSS,),
    "jammer": (_GNSS,),
    "spoofer": (_GNSS,),
    "shelter": (_GNSS,),
    "enclose": (_GNSS,),
    "zones": (_GNSS,),
    "locate": (_GNSS,),
    "gateway_mains": (_MAINS,),
}

_ON_NO_RIG = frozenset({"update", "spoil_image", "flash_block", "brown_out", "sensor", "modem", "receiver"})
"""What happens inside the tag's parts, which no instrument reaches."""

_OF_THE_CENTRE = frozenset({"note", "curfew", "config", "message", "zones", "locate", "new_keys", "acknowledge"})

_COLDEST_C, _HOTTEST_C = -10.0, 60.0
"""What heaters on a desk may be set to."""


def needs_of(scenario: Scenario) -> set[str]:
    """The drivers, by their words in a rig file, that do what the scenario does to the tag.

    What is around it from the start (the warmth of a limb, a full battery) counts only where the scenario changes it.
    """
    needed = {driver for step in scenario.steps for driver in _OF_VERBS.get(step.verb, ())}
    if scenario.wearer.day or scenario.wearer.track:
        needed |= {_GNSS, _MOTION}
    return needed


def simulated_only(scenario: Scenario) -> set[str]:
    """The verbs that a real rig has nobody for: radio, network, base station, broker. On a virtual rig the simulation does them."""
    ours = {*_OF_VERBS, *_OF_THE_CENTRE} - _ON_NO_RIG - {"go", "track", "shelter", "enclose"}
    return _verbs(scenario) - ours


def beyond_any_rig(scenario: Scenario) -> set[str]:
    """What keeps a scenario off every rig, the virtual one included: its verbs, or a temperature that no heater may have."""
    return _verbs(scenario) & _ON_NO_RIG | {
        f"{step.verb}: {step.argument}" for step in scenario.steps if _out_of_range(step)
    }


def _verbs(scenario: Scenario) -> set[str]:
    return {str(step.verb) for step in scenario.steps}


def _out_of_range(step: Step) -> bool:
    around_c = SURROUNDINGS[step.surroundings].air_c if step.surroundings else step.ambient
    return around_c is not None and not _COLDEST_C <= around_c <= _HOTTEST_C
