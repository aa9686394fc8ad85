"""The figures of `boards.toml`, checked on reading."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Work(_Strict):
    """What the firmware does again and again, in seals of 32 bytes."""

    seal_k_instructions: float
    heartbeat: float
    strap_sample: float
    skin_sample: float
    motion_batch: float
    record: float
    connection: float
    link_frame: float
    gnss_epoch: float


class Chip(_Strict):
    """One part beside the controller; it draws `idle_ua` always, and the rest while it is used."""

    title: str
    source: str
    idle_ua: float
    sample_ma: float = 0.0
    sample_ms: float = 0.0
    on_ma: float = 0.0
    search_ma: float = 0.0
    search_s: float = 0.0
    line_ma: float = 0.0
    standby_ma: float = 0.0


class Board(_Strict):
    """A controller with its radio."""

    title: str
    source: str
    sleep_ua: float
    cpu_mhz: float
    cpu_ma: float
    cycles_per_instruction: float
    wake_ms: float
    tx_ma: float
    rx_ma: float
    aes: Literal["native", "python"]


class Radio(_Strict):
    """An advertising event and a connection event."""

    source: str
    byte_us: float
    overhead_bytes: int
    between_us: float
    listen_us: float
    channels: int
    event_cpu_ms: float
    connection_interval_ms: float


class Cell(_Strict):
    """What the battery gives."""

    source: str
    capacity_mah: float
    usable: float


class Profile(_Strict):
    """Which chips a device has, how its day is spent (hours by state), and what is wanted of it."""

    title: str
    chips: tuple[str, ...]
    hours: dict[str, float]
    gnss_s_per_hour: float | None = None
    """How long the receiver is on in an hour away, where that is not what the simulated sky gives."""
    goal_h: float | None = None
    goal_board: str | None = None


class Figures(_Strict):
    """All of the file."""

    work: Work
    chips: dict[str, Chip]
    boards: dict[str, Board]
    radio: Radio
    cell: Cell
    profiles: dict[str, Profile] = Field(min_length=1)


@cache
def figures() -> Figures:
    """What each board and each chip draws, with its source."""
    text = (files("strapline_simulator.energy") / "boards.toml").read_text(encoding="utf-8")
    return Figures.model_validate(tomllib.loads(text))
