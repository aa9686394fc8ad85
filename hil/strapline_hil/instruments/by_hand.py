"""Instruments that are a person: asked in one line what to do, and waited for."""

import sys
from collections.abc import Callable, Mapping

from strapline_hil.verdict import RigError

WORDS: Mapping[str, tuple[str, str]] = {
    "case_open": ("open the tag's case", "close the tag's case"),
    "charging": ("put the charger on the tag", "take the charger off the tag"),
    "immersed": ("put the tag into water", "take the tag out of the water and wipe its contacts dry"),
    "button": ("press the tag's button and hold it", "let go of the tag's button"),
}
"""What is asked for each contact: there, and not there."""


def ask_at_terminal(text: str) -> None:
    """Ask, and wait for Enter; `RigError` where nobody sits there."""
    if not sys.stdin.isatty():
        raise RigError(
            "by hand", f"nobody is there to {text}", "run this at a terminal, or put an instrument into the rig"
        )
    print(f"Please {text}, then press Enter: ", end="", flush=True, file=sys.stderr)  # noqa: T201 - it asks a person
    if not sys.stdin.readline():
        raise RigError("by hand", f"nobody answered to: {text}", "run this at a terminal")


class ByHand:
    """Who does it; `ask(text)` returns when it is done."""

    def __init__(self, ask: Callable[[str], object] = ask_at_terminal, name: str = "by hand") -> None:
        self.name = name
        self._ask = ask

    def do(self, text: str) -> None:
        """`text` goes on from "Please"."""
        self._ask(text)

    def hold_key(self) -> None:
        self.do("hold the electronic key to the tag until it vibrates")

    def check(self) -> list[str]:
        """A person needs none."""
        return []

    def close(self) -> None: ...


class StrapByHand(ByHand):
    """A `Strap`."""

    def cut(self) -> None:
        self.do("open the tag's strap")

    def mend(self) -> None:
        self.do("close the tag's strap")

    def set_ohm(self, ohm: int) -> None:
        self.do(f"put {ohm} Ω into the tag's strap loop")


class ContactsByHand(ByHand):
    """`Contacts`."""

    def set(self, contact: str, on: bool) -> None:
        if contact not in WORDS:
            raise RigError(self.name, f"no contact {contact}", f"use {', '.join(WORDS)}")
        self.do(WORDS[contact][0 if on else 1])


class HeatByHand(ByHand):
    """A `Heat`."""

    def set(self, skin_centi_c: int, ambient_centi_c: int) -> None:
        self.do(
            f"bring the tag's skin side to {skin_centi_c / 100:.1f} °C and its other side to {ambient_centi_c / 100:.1f} °C"
        )


class MotionByHand(ByHand):
    """A person shakes; what was recorded, nobody can."""

    def play(self, rate_hz: int, vectors: bytes) -> None:
        self.do(f"shake the tag for {max(1, round(len(vectors) / 6 / rate_hz))} s")

    def still(self) -> None:
        self.do("lay the tag down and leave it")


class MainsByHand(ByHand):
    """A `Mains`."""

    def on(self) -> None:
        self.do("plug the base station in")

    def off(self) -> None:
        self.do("unplug the base station")
