"""What a rig can do to a tag and see of it, whichever driver does it.

Every command is bounded in time and returns when the instrument has confirmed it. What fails is a `RigError` or an
`SurroundingsError`, never the product's.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

Clock = Callable[[], float]
"""Seconds: of the rig's own time, which is virtual on a virtual rig."""


class Instrument(Protocol):
    """What all of them have."""

    name: str

    def check(self) -> list[str]:
        """Test itself: who answers, read-back, a measured value where there is one. What is found wrong, in plain words."""

    def close(self) -> None:
        """Leave what it acts on in a safe state, and the port free; may be called twice."""


class Relays(Protocol):
    """Channels that switch, counted from 1."""

    def set(self, channel: int, on: bool) -> None: ...

    def states(self) -> dict[int, bool]: ...


class Strap(Instrument, Protocol):
    """The tag's strap loop."""

    def cut(self) -> None: ...

    def mend(self) -> None:
        """Closed again, with the resistance that it had before."""

    def set_ohm(self, ohm: int) -> None:
        """The loop's resistance while it is closed; `RigError` where this rig has no such loop."""


class Contacts(Instrument, Protocol):
    """`case_open`, `charging`, `immersed`, `button`: each is there or not."""

    def set(self, contact: str, on: bool) -> None: ...


class Heat(Instrument, Protocol):
    """What the tag's two temperature sensors lie on."""

    def set(self, skin_centi_c: int, ambient_centi_c: int) -> None: ...


class Motion(Instrument, Protocol):
    """What shakes the tag."""

    def play(self, rate_hz: int, vectors: bytes) -> None:
        """x, y, z in mg by turns, 16 bits big-endian."""


class Gnss(Instrument, Protocol):
    """What the tag's receiver would say."""

    def send(self, data: bytes) -> None: ...


class Supply(Instrument, Protocol):
    """In the battery's place."""

    def set_mv(self, milli_v: int) -> None: ...

    def on(self) -> None: ...

    def off(self) -> None: ...

    def measured_mv(self) -> int: ...


class Mains(Instrument, Protocol):
    """The base station's plug."""

    def on(self) -> None: ...

    def off(self) -> None: ...


class Hand(Instrument, Protocol):
    """A person at the rig, for what no instrument does."""

    def present_key(self, sealed: bytes) -> None:
        """The electronic key is held to the tag."""


class Sample(NamedTuple):
    """Current drawn over a stretch of time."""

    t_s: float
    micro_a: float


class Meter(Instrument, Protocol):
    """Current into the tag."""

    def start(self) -> None: ...

    def read(self) -> Sequence[Sample]:
        """What came since the last time."""

    def stop(self) -> None: ...


class Heard(NamedTuple):
    """One advertisement, heard from outside."""

    t_s: float
    address: str
    rssi_dbm: int
    data: bytes


class Sniffer(Instrument, Protocol):
    """Hears what the tag advertises."""

    def heard(self) -> Sequence[Heard]:
        """What came since the last time."""
