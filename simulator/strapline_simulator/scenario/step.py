"""What can happen. Every verb of a scenario is declared here, and nowhere else."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from strapline_simulator.misplaced import MisplacedError
from strapline_simulator.scenario.centre import Acknowledgement, PartName
from strapline_simulator.scenario.faults import (
    AdapterState,
    BlockOrder,
    Device,
    LineNoise,
    ModemState,
    Offset,
    ReceiverState,
    Reports,
    SensorOrder,
)
from strapline_simulator.scenario.gateway import Handling
from strapline_simulator.scenario.limb import Activity, Clothing, Drain, Replay, Surroundings
from strapline_simulator.scenario.meddling import Meddling
from strapline_simulator.scenario.orders import ConfigOrder, CurfewOrder, MessageOrder
from strapline_simulator.scenario.places import ShelterName, ZoneSpec
from strapline_simulator.scenario.quantities import Moment, Seconds
from strapline_simulator.scenario.radio import BodyBetween, RoomName
from strapline_simulator.scenario.strict import Strict
from strapline_simulator.scenario.updates import UpdateKind
from strapline_simulator.scenario.world import Enclosure, Manner, TrackChoice

Verb = Literal[
    "present_key",
    "go",
    "cut_strap",
    "open_strap",
    "close_strap",
    "take_off",
    "put_on",
    "ambient",
    "battery",
    "case",
    "charger",
    "immerse",
    "limb",
    "motion",
    "strap_ohm",
    "surroundings",
    "cell",
    "radio_loss",
    "jammer",
    "locate",
    "new_keys",
    "curfew",
    "config",
    "message",
    "press_button",
    "power_cut",
    "update",
    "spoil_image",
    "note",
    "shelter",
    "sky",
    "spoofer",
    "zones",
    "gateway_battery",
    "gateway_case",
    "gateway_line",
    "gateway_mains",
    "gateway_moved",
    "gateway_schedule",
    "clone_tag",
    "noise",
    "record_radio",
    "replay_radio",
    "broker_tampers",
    "acknowledge",
    "stop",
    "start",
    "track",
    "clothing",
    "enclose",
    "gateway_goes",
    "room",
    "body_between",
    "adapter",
    "radio_reports",
    "line_noise",
    "foreign_tag",
    "cell_delay",
    "modem",
    "receiver",
    "sensor",
    "flash_block",
    "brown_out",
    "gateway_clock",
    "gateway_disk",
    "gateway_device",
    "ingress_restart",
    "broker_queue",
    "broker_forgets",
    "centre_clock",
    "ledger_locked",
]


def _locate_within(duration_s: float) -> float:
    if not 1 <= duration_s <= 600:
        raise ValueError(f"{duration_s:g} s is no time for LOCATE: write 1s to 10min")
    return duration_s


LocateWithin = Annotated[Seconds, AfterValidator(_locate_within)]


class Journey(Strict):
    """Go somewhere, straight and evenly."""

    to: str
    within: Seconds
    by: Manner = Field(default="foot", description="the limb walks, or is shaken by a vehicle")


class Step(Strict):
    """Something happens: a moment and exactly one verb."""

    at: Moment
    name: str | None = Field(default=None, description="what expectations call this step; without one, its verb")
    stimulus: bool = Field(
        default=False, description="the scenario is about this step: without it, it must fail (`--without-stimulus`)"
    )
    present_key: Literal["arm", "disarm"] | None = Field(
        default=None, description="the officer holds the electronic key to the tag"
    )
    go: Journey | None = Field(default=None, description="the wearer goes to a place")
    cut_strap: Literal[True] | None = Field(default=None, description="the strap is cut and stays open")
    open_strap: Seconds | None = Field(default=None, description="the strap is opened for so long, then closed")
    close_strap: Literal[True] | None = Field(default=None, description="the strap is closed again")
    take_off: Literal[True] | None = Field(default=None, description="the tag leaves the body")
    put_on: Literal[True] | None = Field(default=None, description="the tag is back on the body")
    ambient: float | None = Field(default=None, description="temperature around the tag, °C", ge=-40, le=110)
    battery: Drain | None = Field(default=None, description="the battery's charge, and how fast it changes")
    case: Literal["open", "closed"] | None = Field(default=None, description="the tag's case")
    charger: bool | None = Field(default=None, description="whether the tag is on its charger")
    immerse: bool | None = Field(default=None, description="whether its water contacts are bridged")
    limb: Literal["warm", "cold"] | None = Field(default=None, description="how well blood reaches the limb")
    motion: Activity | Replay | None = Field(default=None, description="what the limb does from now on")
    strap_ohm: int | None = Field(default=None, description="the closed loop's resistance, Ω", ge=0, le=9999)
    surroundings: Surroundings | None = Field(default=None, description="what is around the limb")
    cell: bool | None = Field(default=None, description="whether there is cellular coverage")
    radio_loss: float | None = Field(default=None, description="share of BLE advertisements lost", ge=0, le=1)
    new_keys: Literal[True] | None = Field(default=None, description="the centre begins to give the tag new keys")
    curfew: CurfewOrder | None = Field(default=None, description="the centre sends the wearer's schedule to the tag")
    config: ConfigOrder | None = Field(default=None, description="the centre sends settings to the tag")
    message: MessageOrder | None = Field(default=None, description="the centre sends words for the wearer")
    press_button: Seconds | None = Field(default=None, description="the wearer presses the button for so long")
    power_cut: Seconds | None = Field(
        default=None, description="the tag is without power for so long, then starts again"
    )
    update: UpdateKind | None = Field(default=None, description="the centre sends a firmware image")
    spoil_image: Literal[True] | None = Field(default=None, description="a byte of the image that runs is worn out")
    note: str | None = Field(default=None, description="nothing happens; shown in the timeline")
    jammer: bool | None = Field(default=None, description="somebody drowns the sky in noise")
    locate: LocateWithin | None = Field(default=None, description="the centre asks for a position within this time")
    sky: Literal["open", "indoors", "none"] | None = Field(default=None, description="what the receiver sees")
    spoofer: str | Literal[False] | None = Field(default=None, description="false signals of this place; false: none")
    shelter: ShelterName | None = Field(default=None, description="what stands around the tag and takes signals away")
    zones: tuple[ZoneSpec, ...] | None = Field(default=None, description="the centre sets the tag's zones")
    gateway_battery: float | None = Field(default=None, description="the base station's charge, %", ge=0, le=100)
    gateway_case: Literal["open", "closed"] | None = Field(default=None, description="the base station's case")
    gateway_line: bool | None = Field(default=None, description="the base station's line to the network")
    gateway_mains: bool | None = Field(default=None, description="the base station's mains")
    gateway_moved: Handling | None = Field(
        default=None, description="somebody knocks against the base station, or carries it"
    )
    gateway_schedule: Literal[True] | None = Field(
        default=None, description="the centre gives the base station the wearer's schedule to judge by"
    )
    clone_tag: bool | None = Field(
        default=None, description="a second device with the tag's keys, beside the base station"
    )
    noise: Annotated[float, Field(ge=-110, le=-20)] | Literal[False] | None = Field(
        default=None, description="noise on the tags' radio at home, dBm; false: none"
    )
    record_radio: bool | None = Field(default=None, description="somebody records what the tag sends, wherever it is")
    replay_radio: Seconds | None = Field(
        default=None, description="they send it again beside the base station, for so long"
    )
    broker_tampers: Meddling | Literal[False] | None = Field(
        default=None, description="somebody meddles with what gateways and centre say; false: no more"
    )
    acknowledge: Acknowledgement | None = Field(default=None, description="a person acknowledges open alerts")
    stop: PartName | None = Field(default=None, description="a part ends without a word, as when it is killed")
    start: PartName | None = Field(default=None, description="it starts again")
    track: TrackChoice | None = Field(default=None, description="the wearer goes where a recorded track went")
    clothing: Clothing | None = Field(default=None, description="what lies over the tag")
    enclose: Enclosure | None = Field(default=None, description="a shelter closes slowly around the tag")
    gateway_goes: str | None = Field(
        default=None, description="somebody carries the base station to a place, or `with_wearer`"
    )
    room: RoomName | None = Field(
        default=None, description="the room that the tag is in; the base station is in the living room"
    )
    body_between: BodyBetween | None = Field(
        default=None, description="the wearer's body is between tag and base station, or lies on the tag"
    )
    adapter: AdapterState | None = Field(default=None, description="how the base station's Bluetooth adapter fails")
    radio_reports: Reports | Literal[False] | None = Field(
        default=None, description="advertisements that its host reports twice, late, out of order; false: as they come"
    )
    line_noise: LineNoise | Literal[False] | None = Field(
        default=None, description="bytes between tag and gateways that are spoilt, lost or doubled; false: none"
    )
    foreign_tag: bool | None = Field(
        default=None, description="another's tag, with keys that are not known here, beside the base station"
    )
    cell_delay: Seconds | None = Field(default=None, description="so much later everything comes over cellular")
    modem: ModemState | None = Field(
        default=None, description="silent: it answers nothing; rejected: the network refuses its SIM"
    )
    receiver: ReceiverState | None = Field(default=None, description="how the GNSS receiver's output fails")
    sensor: SensorOrder | None = Field(default=None, description="a sensor that does not say what is there")
    flash_block: BlockOrder | None = Field(default=None, description="a block of the journal's flash fails")
    brown_out: int | None = Field(
        default=None,
        description="power sags when the tag has written so many bytes more to its flash; it starts again a second later",
        ge=0,
        le=4096,
    )
    gateway_clock: Offset | None = Field(default=None, description="so far the base station's clock is off from now on")
    gateway_disk: Literal["full", "ok"] | None = Field(default=None, description="whether its outbox may grow")
    gateway_device: Device | None = Field(
        default=None,
        description="its process is killed and starts again; its disk is copied, put back, emptied, damaged",
    )
    ingress_restart: Literal[True] | None = Field(
        default=None, description="the cellular gateway's process is killed and starts again"
    )
    broker_queue: Annotated[int, Field(ge=0, le=100_000)] | Literal[False] | None = Field(
        default=None, description="so many messages the broker keeps for who is away; false: all"
    )
    broker_forgets: Seconds | None = Field(
        default=None, description="the broker ends, and after so long is there again without its sessions"
    )
    centre_clock: Offset | None = Field(default=None, description="so far the centre's clock is off from now on")
    ledger_locked: float | None = Field(
        default=None, description="share of the centre's writes that find the database locked", ge=0, le=1
    )

    @model_validator(mode="after")
    def _one_verb(self) -> "Step":
        verbs = [verb for verb in get_args(Verb) if getattr(self, verb) is not None]
        if not verbs:
            raise ValueError(f"a step has exactly one verb: {', '.join(get_args(Verb))}")
        if len(verbs) > 1:
            raise MisplacedError(
                (verbs[1],), f"a step has exactly one verb, not {' and '.join(verbs)}: make two steps of it"
            )
        return self

    @property
    def verb(self) -> Verb:
        return next(verb for verb in get_args(Verb) if getattr(self, verb) is not None)

    @property
    def outlives_gateway(self) -> bool:
        """Whether a gateway begins anew with it, on what its disk has."""
        return self.gateway_device is not None or self.ingress_restart is not None

    @property
    def argument(self) -> Any:
        return getattr(self, self.verb)

    @property
    def label(self) -> str:
        """What expectations call this step."""
        return self.name or self.verb
