"""A rig whose instruments are open: what a test acts on."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Self

from strapline_hil.instruments.protocols import (
    Contacts,
    Gnss,
    Hand,
    Heat,
    Instrument,
    Mains,
    Meter,
    Motion,
    Sniffer,
    Strap,
    Supply,
)
from strapline_hil.rig.file import RigFile
from strapline_hil.verdict import RigError


class Rig:
    """Instruments by role. One that the rig file does not have is a `RigError` when it is asked for."""

    def __init__(
        self, file: RigFile, instruments: dict[str, Instrument], resources: Mapping[str, Instrument] | None = None
    ) -> None:
        self.file = file
        self.resources = dict(resources or {})
        """What several instruments share, by its name in the file."""
        self._instruments = instruments
        self._stack = ExitStack()
        for part in (*self.resources.values(), *instruments.values()):
            self._stack.callback(part.close)

    @property
    def name(self) -> str:
        return self.file.rig

    @property
    def drivers(self) -> set[str]:
        """The words that `needs` takes."""
        return self.file.drivers

    def has(self, role: str) -> bool:
        return role in self._instruments

    def __iter__(self) -> Iterator[tuple[str, Instrument]]:
        return iter(self._instruments.items())

    def instrument(self, role: str) -> Instrument:
        """By role. Raises `RigError`."""
        if role not in self._instruments:
            raise RigError(f"rig {self.name}", f"has no {role}", f"add it to `instruments` in {self.file.path}")
        return self._instruments[role]

    def check(self) -> list[str]:
        """All self-tests: what is found wrong, each with the part that it is about."""
        parts = [*self.resources.items(), *self]
        return [f"{name}: {found}" for name, part in parts for found in part.check()]

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # The roles, with what each can do.

    @property
    def strap(self) -> Strap:
        return self.instrument("strap")  # type: ignore[return-value]  # the rig file holds each role to its drivers

    @property
    def contacts(self) -> Contacts:
        return self.instrument("contacts")  # type: ignore[return-value]

    @property
    def heat(self) -> Heat:
        return self.instrument("heat")  # type: ignore[return-value]

    @property
    def motion(self) -> Motion:
        return self.instrument("motion")  # type: ignore[return-value]

    @property
    def gnss(self) -> Gnss:
        return self.instrument("gnss")  # type: ignore[return-value]

    @property
    def supply(self) -> Supply:
        return self.instrument("supply")  # type: ignore[return-value]

    @property
    def mains(self) -> Mains:
        return self.instrument("mains")  # type: ignore[return-value]

    @property
    def meter(self) -> Meter:
        return self.instrument("meter")  # type: ignore[return-value]

    @property
    def sniffer(self) -> Sniffer:
        return self.instrument("sniffer")  # type: ignore[return-value]

    @property
    def hand(self) -> Hand:
        return self.instrument("hand")  # type: ignore[return-value]
