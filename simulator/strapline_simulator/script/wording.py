"""What is told of each step: in the terminal, on the page and in the trace."""

from collections.abc import Callable, Mapping
from typing import Any

from strapline_simulator.scenario import Step

_TEXTS: Mapping[str, str | Callable[[Any], str]] = {
    "cut_strap": "the strap is cut",
    "close_strap": "the strap is closed",
    "take_off": "the tag is taken off",
    "put_on": "the tag is put on",
    "spoil_image": "a byte of the image that runs is worn out",
    "new_keys": "the centre begins to give the tag new keys",
    "curfew": "the centre sends the wearer's schedule",
    "config": "the centre sends settings",
    "press_button": "the wearer presses the button",
    "note": str,
    "go": lambda journey: "goes home" if journey.to == "home" else f"goes to {journey.to}",
    "open_strap": lambda for_s: f"the strap opens for {for_s * 1000:g} ms",
    "zones": lambda zones: f"the centre sets {len(zones)} zones",
    "locate": lambda within_s: f"the centre asks for a position within {within_s:g} s",
    "cell": lambda there: "cellular coverage is back" if there else "no cellular coverage",
    "message": lambda order: f"the centre sends words: {order.text}",
    "present_key": lambda which: f"the electronic key {which}s the tag",
    "power_cut": lambda for_s: f"the tag is without power for {for_s:g} s",
    "update": lambda kind: f"the centre sends a firmware image: {kind.replace('_', ' ')}",
    "acknowledge": lambda said: f"{said.by} acknowledges {said.alert}: {said.note}",
    "stop": lambda part: f"{part} ends without a word",
    "start": lambda part: f"{part} starts again",
    "broker_tampers": lambda how: "somebody meddles at the broker" if how else "the broker is honest again",
    "track": lambda spec: f"the wearer follows the track {spec.file}",
    "enclose": lambda how: f"{how.shelter} closes around the tag over {how.within:g} s",
    "gateway_goes": lambda where: f"the base station is carried: {where.replace('_', ' ')}",
    "room": lambda name: f"the wearer is in the {name.replace('_', ' ')}",
    "body_between": lambda how: "the wearer's body is in the way" if how else "nothing is in the way",
}
"""A verb without one is told as it is written."""


def text_of(step: Step) -> str:
    """One line, in the present tense."""
    text = _TEXTS.get(step.verb, f"{step.verb.replace('_', ' ')} {step.argument}")
    return text if isinstance(text, str) else text(step.argument)
