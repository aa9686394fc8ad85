"""The rig file: which board is the target, which instrument is at which port, and what its channels are wired to."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, model_validator

from strapline_hil.rig.bench_pins import wiring_of
from strapline_hil.rig.parts import (
    ALSO,
    ROLES,
    VIRTUAL,
    BenchBoard,
    Contacts,
    MainsRelay,
    Part,
    Resource,
    Station,
    StrapDecade,
    StrapRelay,
    Target,
)
from strapline_protocol.errors import UserError
from strapline_simulator.checked_yaml import parse, read_text
from strapline_simulator.misplaced import MisplacedError
from strapline_simulator.scenario.strict import Strict

Where = tuple[int | str, ...]

_OF_BENCH_BOARDS = ("heater", "shaker", "vibration-motor", "gnss-injector")
_SENSE = "strap"


class RigFile(Strict):
    """One rig."""

    rig: str = Field(description="its name", min_length=1)
    target: Target
    resources: dict[str, Resource] = Field(default={}, description="what several instruments share")
    instruments: dict[str, Part] = Field(default={}, description=f"by role: {', '.join(ROLES)}")
    gateway: Station = Field(default=Station(), description="of a real rig: the base station")
    path: str = Field(default="", exclude=True)

    @property
    def is_virtual(self) -> bool:
        return self.target.port == VIRTUAL

    @property
    def sources(self) -> Path | None:
        """The target's, from the rig file's folder."""
        return Path(self.path).parent / self.target.sources if self.target.sources else None

    @property
    def drivers(self) -> set[str]:
        """The words that `needs` takes: its instruments' roles and drivers, and whom these can stand for."""
        own = {part.driver for part in self.instruments.values()}
        return {*self.instruments, *own, *(ALSO[driver] for driver in own if driver in ALSO)}

    @model_validator(mode="after")
    def _consistent(self) -> "RigFile":
        if not self.is_virtual and not self.target.keys:
            raise MisplacedError(
                ("target", "port"),
                "a real tag needs `keys`: the folder with gateway-keys.json and centre-keys.json of `strapline provision`",
            )
        if self.target.sources and not self.is_virtual:
            raise MisplacedError(
                ("target", "sources"), "a real board has its own; `strapline firmware flash` changes it"
            )
        for name, resource in self.resources.items():
            self._check_resource(name, resource)
        for role, part in self.instruments.items():
            self._check_role(role, part)
            self._check_reality(("instruments", role), part)
            self._check_on(role, part)
        self._check_channels()
        return self

    def _check_role(self, role: str, part: Part) -> None:
        where = ("instruments", role)
        if role not in ROLES:
            raise MisplacedError(where, f"no rig has a {role!r}: choose one of {', '.join(ROLES)}")
        if part.driver not in ROLES[role]:
            raise MisplacedError((*where, "driver"), f"{part.driver} cannot be the {role}: {', '.join(ROLES[role])}")
        instead = ROLES[role][0]
        if self.is_virtual and part.driver == "labgrid-power":
            raise MisplacedError((*where, "driver"), f"labgrid has no place at a virtual rig: write {instead}")
        if self.is_virtual and part.driver == "by-hand" and role != "hand":
            raise MisplacedError((*where, "driver"), f"nobody is at a virtual rig to do this: write {instead}")

    def _check_reality(self, where: Where, part: object) -> None:
        ours = self.target.port
        theirs = VIRTUAL if getattr(part, "on", None) else getattr(part, "port", getattr(part, "adapter", ours))
        if not getattr(part, "on", None) and (ours == VIRTUAL) != (theirs == VIRTUAL):
            raise MisplacedError(where, "a virtual and a real part on one rig: make all ports `virtual`, or none")

    def _check_resource(self, name: str, resource: Resource) -> None:
        where = ("resources", name)
        self._check_reality(where, resource)
        if isinstance(resource, BenchBoard):
            try:
                wiring_of(resource.pins)
            except UserError as error:
                raise MisplacedError((*where, "pins"), str(error).removeprefix("bench board: ")) from None

    def _check_on(self, role: str, part: Part) -> None:
        for word in ("on", "sense"):
            name = getattr(part, word, None)
            if name is not None:
                self._check_named(("instruments", role, word), name, part, word)

    def _check_named(self, where: Where, name: str, part: Part, word: str) -> None:
        if name not in self.resources:
            known = ", ".join(self.resources)
            mend = f"choose one of {known}" if known else "write it under `resources`"
            raise MisplacedError(where, f"there is no resource {name!r}: {mend}")
        resource = self.resources[name]
        wants_board = word == "sense" or part.driver in _OF_BENCH_BOARDS
        if wants_board and not isinstance(resource, BenchBoard):
            what = "a sense" if word == "sense" else f"a {part.driver}"
            raise MisplacedError(where, f"{what} needs a bench-board, and {name} is a {resource.driver}")
        if isinstance(resource, BenchBoard) and (lack := _lacks(resource, part, word)):
            raise MisplacedError(where, f"{name} has no {lack}: give it one under `pins`")

    def _check_channels(self) -> None:
        """Each is there, and has one meaning."""
        taken: dict[tuple[str, int], str] = {}
        for role, part in self.instruments.items():
            for where, channel in channels_of(part):
                on = str(getattr(part, "on", ""))
                place = ("instruments", role, *where)
                if channel not in self._channels(on):
                    raise MisplacedError(place, f"{on} has no channel {channel}: {_range(self._channels(on))}")
                if (on, channel) in taken:
                    other = taken[on, channel]
                    raise MisplacedError(place, f"channel {channel} of {on} is taken by {other}: take another")
                taken[on, channel] = role

    def _channels(self, name: str) -> set[int]:
        resource = self.resources[name]
        if isinstance(resource, BenchBoard):
            return set(wiring_of(resource.pins).relays)
        return set(range(1, resource.channels + 1))


def channels_of(part: Part) -> Iterator[tuple[Where, int]]:
    """Which relay channels an instrument has, each with its place in the file."""
    match part:
        case StrapRelay() | Contacts():
            for name, channel in part.channels.items():
                yield ("channels", name), channel
        case StrapDecade():
            yield ("open",), part.open
            for channel in part.steps:
                yield ("steps", channel), channel
        case MainsRelay():
            yield ("channel",), part.channel
        case _:
            return


def _lacks(board: BenchBoard, part: Part, word: str) -> str:
    wiring = wiring_of(board.pins)
    if word == "sense":
        return "" if _SENSE in wiring.senses else f"sense `{_SENSE}`"
    there = {
        "heater": {"skin", "ambient"} <= set(wiring.heaters),
        "shaker": bool(wiring.shaker),
        "vibration-motor": wiring.motor is not None,
        "gnss-injector": wiring.uart is not None,
    }
    names = {"heater": "heaters `skin` and `ambient`", "vibration-motor": "motor", "gnss-injector": "uart"}
    return "" if there.get(part.driver, True) else names.get(part.driver, part.driver)


def _range(channels: set[int]) -> str:
    return f"it has {min(channels)} to {max(channels)}" if channels else "it has none"


def load_rig(path: Path) -> RigFile:
    """Raises `UserError`: one line with file, line and mend."""
    what = "a rig is a mapping with rig, target, resources and instruments"
    return parse(path, read_text(path), RigFile, what, path=str(path))


__all__ = ["ROLES", "VIRTUAL", "RigFile", "channels_of", "load_rig"]
