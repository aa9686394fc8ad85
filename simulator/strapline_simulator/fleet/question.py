"""What is asked of a fleet: all that its result depends on. How it is worked out (jobs, a cluster) is no part of it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from strapline_protocol.errors import UserError
from strapline_protocol.profiles import PROFILES

FULL_SHARD_TAG_HOURS = 240.0
"""Tag-hours of a shard, every heartbeat built: some seconds to a minute of one core."""

FOLDED_SHARD_TAG_HOURS = 2_400.0

FACILITY_TAGS = 12
"""Residents of one building, who share its readers."""

_PACKAGES = (
    "strapline_tag",
    "strapline_wire",
    "strapline_protocol",
    "strapline_gateway",
    "strapline_centre",
    "strapline_simulator",
)

DEFAULT_MIX: Mapping[str, int] = {"home-rf": 40, "two-piece": 25, "one-piece": 20, "call-in": 5, "facility": 10}
"""Shares of tags, an assumption: presence at home is the commonest order, houses of many tags the rarest."""


class Question(NamedTuple):
    """One question has one answer, to the byte."""

    tags: int
    hours: float
    seed: int
    start: str
    """Local date on which all lives begin, at midnight."""
    zone: str
    mix: Mapping[str, int]
    """Shares of tags by profile."""
    tampers: float
    """Sown for each person-day, on average."""
    fold: bool
    data: str
    """Fingerprint of the recordings that lives are made of; empty: none."""
    code: str = ""
    """Fingerprint of the packages that answer: another version may answer otherwise."""

    @property
    def start_utc(self) -> datetime:
        return datetime.fromisoformat(self.start).replace(tzinfo=ZoneInfo(self.zone))


class Household(NamedTuple):
    """A home before anybody lives in it."""

    number: int
    profile: str
    tags: int


class Shard(NamedTuple):
    """Homes that are worked out together: the unit of progress, of resuming and of a worker's task."""

    number: int
    homes: tuple[Household, ...]

    def tag_hours(self, hours: float) -> float:
        return hours * sum(home.tags for home in self.homes)


def households(question: Question) -> Iterator[Household]:
    """Homes until there are enough tags. Home n is the same in a fleet of any size, but for the last one's number of tags."""
    profiles = sorted(question.mix)
    # A facility holds many: drawn as often as it has tags, it would take more than its share.
    weights = [question.mix[name] / (FACILITY_TAGS if name == "facility" else 1) for name in profiles]
    left, number = question.tags, 0
    while left > 0:
        profile = Random(f"{question.seed}/household/{number}").choices(profiles, weights)[0]
        tags = min(left, FACILITY_TAGS if profile == "facility" else 1)
        yield Household(number, profile, tags)
        left -= tags
        number += 1


def shards(question: Question) -> list[Shard]:
    """The whole fleet in order. They follow from the question alone, so that a resumed run finds its own."""
    limit = FOLDED_SHARD_TAG_HOURS if question.fold else FULL_SHARD_TAG_HOURS
    found: list[Shard] = []
    homes: list[Household] = []
    for home in households(question):
        homes.append(home)
        if sum(h.tags for h in homes) * question.hours >= limit:
            found.append(Shard(len(found), tuple(homes)))
            homes = []
    return [*found, Shard(len(found), tuple(homes))] if homes else found


def parse_mix(text: str) -> Mapping[str, int]:
    """`home-rf=40,two-piece=25`: shares by profile. `UserError` for what is none."""
    mix: dict[str, int] = {}
    for part in text.split(","):
        name, equals, share = (piece.strip() for piece in part.partition("="))
        if name not in PROFILES:
            raise UserError(f"--mix: {name!r} is no profile; choose of {', '.join(PROFILES)}")
        if equals and not share.isdigit():
            raise UserError(f"--mix: {name}={share} is no share; write a whole number, as in home-rf=40,two-piece=25")
        mix[name] = int(share) if equals else 1
    if not any(mix.values()):
        raise UserError("--mix: all shares are 0; give one profile more")
    return {name: share for name, share in sorted(mix.items()) if share}


def data_fingerprint() -> str:
    """Names and sizes of what is in STRAPLINE_DATA/motion and /tracks; empty where it is not set."""
    folder = os.environ.get("STRAPLINE_DATA", "")
    files = sorted(path for part in ("motion", "tracks") for path in Path(folder, part).glob("*.csv")) if folder else []
    told = "\n".join(f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in files)
    return hashlib.sha256(told.encode()).hexdigest()[:16] if told else ""


@cache
def code_fingerprint() -> str:
    """Of what decides in a home: firmware, wire, gateway, centre and simulator."""
    told = hashlib.sha256()
    for package in _PACKAGES:
        root = Path(str(files(package)))
        for path in sorted(root.rglob("*.py")):
            told.update(f"{package}/{path.relative_to(root)}\n".encode() + path.read_bytes())
    return told.hexdigest()[:16]


def question_to_json(question: Question) -> dict[str, Any]:
    return {**question._asdict(), "mix": dict(question.mix)}
