"""The rig file: which board is the target, which instrument is at which port, and what its channels are wired to."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from strapline_simulator.checked_yaml import parse, read_text
from strapline_simulator.misplaced import MisplacedError
from strapline_simulator.scenario.strict import Strict

VIRTUAL = "virtual"
"""In a port's place: a fake is behind it, on a pty."""

Contact = Literal["case_open", "charging", "immersed", "button"]


class Target(Strict):
    """The device under test."""

    board: Literal["virtual-board", "pico-w", "esp32-c3", "nrf52840"] = Field(description="what it is")
    port: str = Field(
        default=VIRTUAL, description="USB serial number, device path or pyserial URL; `virtual`: simulated"
    )
    unique_id: str = Field(
        default="", description="what the board itself says that it is; checked before it is flashed"
    )


class LcusRelay(Strict):
    """A USB relay board of the LCUS type."""

    driver: Literal["lcus-relay"]
    port: str = VIRTUAL
    channels: int = Field(default=8, ge=1, le=8)


class BenchBoard(Strict):
    """A second MicroPython board that switches, heats, shakes and measures."""

    driver: Literal["bench-board"]
    port: str = VIRTUAL
    silence_s: float = Field(
        default=10.0, gt=0, description="all outputs fall back to safe after so long without a word"
    )


Resource = Annotated[LcusRelay | BenchBoard, Field(discriminator="driver")]


class StrapRelay(Strict):
    """The tag's strap loop on relay channels."""

    driver: Literal["strap-relay"]
    on: str = Field(description="the resource whose channels these are")
    channels: dict[Literal["open", "bypass", "lengthen"], int]
    loops: dict[Literal["closed", "bypass", "lengthen"], int] = Field(
        default={"closed": 1000}, description="ohm of the loop in each state"
    )
    decade: bool = Field(default=False, description="the closed loop can have any resistance")


class Contacts(Strict):
    """Case, charger, water and button on relay channels."""

    driver: Literal["contacts"]
    on: str
    channels: dict[Contact, int]


class MainsRelay(Strict):
    """The base station's plug on a relay channel."""

    driver: Literal["mains-relay"]
    on: str
    channel: int = Field(ge=1, le=8)


class Heater(Strict):
    """Heater or Peltier under the tag's two sensors."""

    driver: Literal["heater"]
    on: str


class Shaker(Strict):
    """What moves the tag."""

    driver: Literal["shaker", "vibration-motor"]
    on: str


class GnssInjector(Strict):
    """A UART in the receiver's place."""

    driver: Literal["gnss-injector"]
    port: str = VIRTUAL
    baudrate: Literal[9600, 38400, 115200] = 9600
    loopback: bool = Field(default=False, description="its input is wired to its output, so that it hears itself")


class ScpiSupply(Strict):
    """A programmable supply in the battery's place."""

    driver: Literal["scpi-supply"]
    port: str = VIRTUAL
    limit_ma: int = Field(default=500, gt=0, le=3000)


class PowerMeter(Strict):
    """Nordic's Power Profiler Kit II between supply and tag."""

    driver: Literal["ppk2"]
    port: str = VIRTUAL


class Sniffer(Strict):
    """A Bluetooth adapter that only listens."""

    driver: Literal["sniffer"]
    adapter: str = Field(default=VIRTUAL, description="such as hci1")


class ByHand(Strict):
    """A person at the rig, who is asked."""

    driver: Literal["by-hand"]


Part = Annotated[
    StrapRelay | Contacts | MainsRelay | Heater | Shaker | GnssInjector | ScpiSupply | PowerMeter | Sniffer | ByHand,
    Field(discriminator="driver"),
]

ROLES = {
    "strap": ("strap-relay",),
    "contacts": ("contacts",),
    "mains": ("mains-relay",),
    "heat": ("heater",),
    "motion": ("shaker", "vibration-motor"),
    "gnss": ("gnss-injector",),
    "supply": ("scpi-supply",),
    "meter": ("ppk2",),
    "sniffer": ("sniffer",),
    "hand": ("by-hand",),
}
"""What an instrument is called on a rig, and which drivers can be it."""


class RigFile(Strict):
    """One rig."""

    rig: str = Field(description="its name", min_length=1)
    target: Target
    resources: dict[str, Resource] = Field(default={}, description="what several instruments share")
    instruments: dict[str, Part] = Field(default={}, description=f"by role: {', '.join(ROLES)}")
    path: str = Field(default="", exclude=True)

    @property
    def is_virtual(self) -> bool:
        return self.target.port == VIRTUAL

    @model_validator(mode="after")
    def _consistent(self) -> "RigFile":
        for role, part in self.instruments.items():
            self._check_role(role, part)
            self._check_resource(role, part)
        return self

    def _check_role(self, role: str, part: "Part") -> None:
        where = ("instruments", role)
        if role not in ROLES:
            raise MisplacedError(where, f"no rig has a {role!r}: choose one of {', '.join(ROLES)}")
        if part.driver not in ROLES[role]:
            raise MisplacedError((*where, "driver"), f"{part.driver} cannot be the {role}: {', '.join(ROLES[role])}")
        mixed = {getattr(part, "port", self.target.port), getattr(part, "adapter", self.target.port), self.target.port}
        if VIRTUAL in mixed and len(mixed) > 1:
            raise MisplacedError(where, "a virtual and a real part on one rig; make all ports `virtual`, or none")

    def _check_resource(self, role: str, part: "Part") -> None:
        on = getattr(part, "on", None)
        if on is None:
            return
        where = ("instruments", role, "on")
        if on not in self.resources:
            known = ", ".join(self.resources) or "there are none"
            raise MisplacedError(where, f"no resource {on!r}: {known}")
        resource = self.resources[on]
        if part.driver in ("heater", "shaker", "vibration-motor") and resource.driver != "bench-board":
            raise MisplacedError(where, f"a {part.driver} needs a bench-board, and {on} is a {resource.driver}")


def load_rig(path: Path) -> RigFile:
    """Raises `UserError`: one line with file, line and mend."""
    what = "a rig is a mapping with rig, target, resources and instruments"
    return parse(path, read_text(path), RigFile, what, path=str(path))
