"""A trace as text: one line a packet."""

from datetime import UTC, datetime
from typing import Any

from strapline_simulator.traces.reading import Reading

_QUIET = ("pseudonym", "seal")
"""Fields that tell a person nothing once the rest is there."""


def line_of(reading: Reading) -> str:
    """One packet."""
    packet = reading.packet
    way = {True: "up", False: "down", None: "-"}[packet.inbound]
    who = reading.tag or (f"?{reading.fields['pseudonym']}" if "pseudonym" in reading.fields else "-")
    head = f"{reading.number:>6}  {time_of(packet.utc_s)}  {text_of(packet.interface):<8} {way:<4} {who:<9} {reading.kind:<10}"
    return f"{head} {fields_text(reading)}".rstrip()


def fields_text(reading: Reading) -> str:
    """What it says, `name=value`; the gateway first."""
    told: dict[str, Any] = {"gateway": reading.gateway} if reading.gateway else {}
    told |= {name: value for name, value in reading.fields.items() if name not in _QUIET}
    notes = {name: value for name, value in reading.packet.notes.items() if name not in ("tag", "line")}
    return " ".join(f"{text_of(name)}={text_of(value)}" for name, value in {**told, **notes}.items())


def time_of(utc_s: float) -> str:
    """With date, to the millisecond."""
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def text_of(value: object) -> str:
    """A field on one line, whatever somebody has put into it: a trace's texts come from anywhere, and go to a terminal."""
    text = str(value)
    if not text.isprintable():
        return repr(text)
    return f'"{text}"' if " " in text else text
