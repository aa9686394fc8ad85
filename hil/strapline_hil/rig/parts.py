"""What a rig file says of each part: the target, what several instruments share, and every instrument."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from strapline_hil.rig.bench_pins import Pins
from strapline_simulator.scenario.model import known_settings
from strapline_simulator.scenario.strict import Strict

VIRTUAL = "virtual"
"""In a port's place: a fake is behind it, on a pty."""

NO_PORT = "none"
"""In the target's: its console is closed or not wired, and nobody speaks to it by a cable."""

Contact = Literal["case_open", "charging", "immersed", "button"]
Channel = Annotated[int, Field(ge=1, le=16)]
Ohm = Annotated[int, Field(gt=0)]
Port = Annotated[
    str, Field(min_length=1, description="USB serial number, device path or pyserial URL; `virtual`: simulated")
]


class Target(Strict):
    """The device under test."""

    board: Literal["virtual-board", "pico-w", "esp32-c3", "nrf52840"] = Field(description="what it is")
    port: str = Field(
        default=VIRTUAL,
        min_length=1,
        description="USB serial number, device path, pyserial URL or labgrid://ENVIRONMENT.yaml; `virtual`: simulated; `none`: "
        "its console is closed",
    )
    unique_id: str = Field(
        default="", description="what the board itself says that it is; checked before it is flashed"
    )
    sources: str = Field(
        default="",
        description="of a virtual one: a folder whose changed files of strapline_tag, strapline_boards … go before the "
        "installed ones in its firmware",
    )
    keys: str = Field(
        default="",
        description="of a real one: folder with gateway-keys.json and centre-keys.json, as `strapline provision` writes them",
    )
    tag: str = Field(default="", description="its id, where the key files have several")
    settings: Annotated[dict[str, int], AfterValidator(known_settings)] = Field(
        default={},
        description="of a real one: the settings that it was flashed with, where they are not the firmware's own",
    )


class Station(Strict):
    """The base station at a real rig: this machine."""

    bluetooth: str = Field(
        default="", description="its adapter, such as hci0; the first one unless given", pattern=r"^[a-z0-9]*$"
    )
    broker: str = Field(default="memory", description="memory, or mqtt://[user:password@]host[:port]")


# Resources.


class LcusRelay(Strict):
    """A USB relay board of the LCUS type."""

    driver: Literal["lcus-relay"]
    port: Port = VIRTUAL
    channels: Channel = 8


class BenchBoard(Strict):
    """A second MicroPython board that switches, heats, shakes and measures."""

    driver: Literal["bench-board"]
    port: Port = VIRTUAL
    silence_s: float = Field(
        default=60.0, gt=0, description="all outputs fall back to safe after so long without a word"
    )
    pins: Pins | None = Field(default=None, description="without it: as the Raspberry Pi Pico in docs/instruments.md")


Resource = Annotated[LcusRelay | BenchBoard, Field(discriminator="driver")]


# Instruments.


class StrapRelay(Strict):
    """The tag's strap loop on relay channels; at rest it is closed."""

    driver: Literal["strap-relay"]
    on: str = Field(description="the resource whose channels these are")
    channels: dict[Literal["open", "bypass", "lengthen"], Channel]
    loops: dict[Literal["closed", "bypass", "lengthen"], Ohm] = Field(
        default={"closed": 1000}, description="what the loop measures in each state, Ω"
    )
    sense: str | None = Field(default=None, description="the bench-board whose sense `strap` measures the loop")


class StrapDecade(Strict):
    """The tag's strap loop with resistors in series, each put in by a channel."""

    driver: Literal["strap-decade"]
    on: str = Field(description="the resource whose channels these are")
    open: Channel = 1
    steps: dict[Channel, Ohm] = Field(description="what each channel puts in, Ω", min_length=1)
    base_ohm: Ohm = Field(description="what the loop measures with none of them")
    closed_ohm: Ohm = Field(default=1000, description="what it shall measure at the beginning")
    sense: str | None = Field(default=None, description="the bench-board whose sense `strap` measures the loop")


class Contacts(Strict):
    """Case, charger, water and button on relay channels."""

    driver: Literal["contacts"]
    on: str = Field(description="the resource whose channels these are")
    channels: dict[Contact, Channel]


class MainsRelay(Strict):
    """The base station's plug on a relay channel."""

    driver: Literal["mains-relay"]
    on: str = Field(description="the resource whose channel this is")
    channel: Channel
    on_at_rest: bool = Field(default=True, description="the plug has power while the relay is off")


class LabgridPower(Strict):
    """The base station's plug, switched by the power of a labgrid place."""

    driver: Literal["labgrid-power"]
    place: str = Field(
        description="labgrid://ENVIRONMENT.yaml, from the rig file's folder, with #TARGET where it is not `main`",
        pattern=r"^labgrid://[^#]+(#.+)?$",
    )


class Heater(Strict):
    """Heater or Peltier under the tag's two sensors."""

    driver: Literal["heater"]
    on: str = Field(description="the bench-board that drives it")


class Shaker(Strict):
    """What moves the tag."""

    driver: Literal["shaker", "vibration-motor"]
    on: str = Field(description="the bench-board that drives it")


class GnssInjector(Strict):
    """A UART in the receiver's place: a USB adapter at `port`, or the one of a bench board (`on`)."""

    driver: Literal["gnss-injector"]
    port: Port = VIRTUAL
    on: str | None = Field(default=None, description="the bench-board whose UART it is; instead of `port`")
    baudrate: Literal[9600, 38400, 115200] = 9600
    loopback: bool = Field(
        default=False,
        description="its input is wired to its output, so that it hears itself; on a virtual rig it always does",
    )


class ScpiSupply(Strict):
    """A programmable supply in the battery's place."""

    driver: Literal["scpi-supply"]
    port: Port = VIRTUAL
    limit_ma: int = Field(default=500, gt=0, le=3000)
    output: int | None = Field(default=None, ge=1, le=8, description="which of several outputs")
    baudrate: int = Field(default=9600, gt=0)


class PowerMeter(Strict):
    """Nordic's Power Profiler Kit II between supply and tag."""

    driver: Literal["ppk2"]
    port: Port = VIRTUAL


class Sniffer(Strict):
    """A Bluetooth adapter that only listens."""

    driver: Literal["sniffer"]
    adapter: str = Field(default=VIRTUAL, description="such as hci1")


class ByHand(Strict):
    """A person at the rig, who is asked."""

    driver: Literal["by-hand"]


Part = Annotated[
    StrapRelay
    | StrapDecade
    | Contacts
    | MainsRelay
    | LabgridPower
    | Heater
    | Shaker
    | GnssInjector
    | ScpiSupply
    | PowerMeter
    | Sniffer
    | ByHand,
    Field(discriminator="driver"),
]

ROLES = {
    "strap": ("strap-relay", "strap-decade", "by-hand"),
    "contacts": ("contacts", "by-hand"),
    "mains": ("mains-relay", "labgrid-power", "by-hand"),
    "heat": ("heater", "by-hand"),
    "motion": ("shaker", "vibration-motor", "by-hand"),
    "gnss": ("gnss-injector",),
    "supply": ("scpi-supply",),
    "meter": ("ppk2",),
    "sniffer": ("sniffer",),
    "hand": ("by-hand",),
}
"""What an instrument is called on a rig, and which drivers can be it."""

ALSO = {"strap-decade": "strap-relay", "shaker": "vibration-motor", "labgrid-power": "mains-relay"}
"""Who can do all that another one can."""
