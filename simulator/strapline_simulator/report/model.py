"""What a run found, as `report.json`: facts with their units, and no drawing.

Instants (`t_s`, `at_gateway_s`, `at_centre_s`) are simulated seconds since the start of the scenario; durations are seconds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1

# Left out of report.json where a run does not have them; every other field is always there, null included.
OPTIONAL_FIELDS = ("title", "start_utc", "broker", "heap")

Instant = Annotated[float, Field(allow_inf_nan=False, json_schema_extra={"unit": "s since the start of the scenario"})]
Duration = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"unit": "s"})]
Count = Annotated[int, Field(ge=0, json_schema_extra={"unit": "1"})]
Bytes = Annotated[int, Field(ge=0, json_schema_extra={"unit": "byte"})]
Latitude = Annotated[float, Field(ge=-90, le=90, json_schema_extra={"unit": "degrees north, WGS 84"})]
Longitude = Annotated[float, Field(ge=-180, le=180, json_schema_extra={"unit": "degrees east, WGS 84"})]
Metres = Annotated[float, Field(ge=0, allow_inf_nan=False, json_schema_extra={"unit": "m"})]
UtcText = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)$",
        json_schema_extra={"format": "date-time", "unit": "UTC, ISO 8601"},
    ),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, populate_by_name=True)


class Expectation(_Part):
    """One thing that the scenario expects, and whether it came true."""

    text: str
    """The expectation in the scenario's own words."""
    passed: bool
    """Whether it came true within its time."""
    latency_s: Duration | None
    """How long after its cause it came true; null where it did not, or where it has no cause."""


class Event(_Part):
    """One event that a tag recorded, and when it got where."""

    t_s: Instant
    """When the tag recorded it."""
    tag: str
    """The tag's name in the scenario."""
    code: str
    """The event's code in the protocol."""
    at_gateway_s: Instant | None
    """When a gateway first had it; null if none did."""
    at_centre_s: Instant | None
    """When the centre first had it; null if it did not."""
    detail: Mapping[str, int] = {}
    """The event's number by its name and unit; a few events have two, some none."""


class RaisedAlert(_Part):
    """One alert of the centre, as it stands at the end."""

    subject: str
    """The tag, the gateway or the centre that it is about."""
    code: str
    """Its code at the centre."""
    text: str
    """Its text, for people."""
    raised_s: Instant
    """When it was raised."""
    over_s: Instant | None
    """When what it tells of was over; null where it is not, or has no end."""
    acknowledged_s: Instant | None
    """When a person acknowledged it; null while it stands open."""
    times: Count
    """How often it happened before somebody looked."""


class GatewayNotice(_Part):
    """One notice of a gateway."""

    gateway: str
    """The gateway's id."""
    code: str
    """The notice's code in the protocol."""
    at_centre_s: Instant
    """When it was at the centre."""
    detail: Mapping[str, int] = {}
    """Its numbers, with their units in the names."""


class Position(_Part):
    """One position that the centre received."""

    t_s: Instant
    """When the tag recorded it."""
    utc: UtcText | None
    """The tag's own time of the fix; null where the tag had no trusted time."""
    lat_deg: Latitude
    """Latitude as reported."""
    lon_deg: Longitude
    """Longitude as reported."""
    accuracy_m: Metres | None
    """The radius that the receiver itself estimated; null where it gave none."""


class Frames(_Part):
    """Frames between tag and gateway."""

    sent: Count
    """Frames that the tags sent."""
    accepted: Count
    """Frames that a gateway authenticated and took as new."""
    rejected: Mapping[str, Count]
    """Frames that a gateway refused, by reason."""


class Ledger(_Part):
    """The centre's account of every record it was owed."""

    received: Count
    """Different records received."""
    duplicates_dropped: Count
    """Repeated copies of a record that the centre already had, recognised and dropped."""
    missing: Count
    """Things that happened in the simulated world and had to be on record by the end, and are not: the tag's own counters have no say."""
    tombstoned: Count
    """Records that a store gave up by policy and accounted for."""


class AlarmLatency(_Part):
    """How long alarms took from the tag to the centre; all null when there was no alarm."""

    p50: Duration | None
    """The median, by nearest rank."""
    p99: Duration | None
    """The 99th percentile, by nearest rank."""
    max: Duration | None
    """The slowest."""


class Heap(_Part):
    """The firmware's heap on a real interpreter, looked at each simulated hour and at the end, garbage collected first."""

    loaded_bytes: Bytes
    """What the loaded code takes before the tag exists."""
    peak_bytes: Bytes
    """The most that was alive, code included."""
    first_day_bytes: Bytes
    """The most that was alive in the first 24 hours: what the whole run's peak is above it has grown since."""
    least_block_bytes: Bytes
    """The largest block that could be had, at the moment when it was smallest."""


class Report(_Part):
    """The result of one run of one scenario on one body."""

    schema_version: Literal[1] = Field(default=SCHEMA_VERSION, alias="schema")
    """The version of this schema."""
    scenario: str
    """The scenario's name."""
    title: str | None = None
    """The scenario's title, for people."""
    seed: int
    """The seed of every random choice in the run."""
    body: str
    """What the firmware ran on: `model`, `micropython`, `serial:PORT`, `qemu:ELF`, `virtual` or `rig:FILE`."""
    broker: str | None = None
    """The MQTT broker that the run used."""
    start_utc: UtcText | None = None
    """The simulated time at which the scenario starts."""
    simulated_s: Duration
    """How long the run lasted in simulated time."""
    wall_s: Duration
    """How long the run took in real time."""
    expectations: tuple[Expectation, ...]
    """What the scenario expects, in its order."""
    events: tuple[Event, ...]
    """The tags' events, in the order of their time."""
    positions: tuple[Position, ...]
    """The positions that the centre received, in the order of their time."""
    alerts: tuple[RaisedAlert, ...]
    """The centre's alerts, in the order in which they were raised."""
    notices: tuple[GatewayNotice, ...]
    """What gateways told of themselves and of the air around them, in the order in which the centre had it."""
    frames: Frames
    """What became of the frames between tag and gateway."""
    frames_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """SHA-256 over every frame that the tags sent, in order: equal digests mean equal frames, to the byte."""
    ledger: Ledger
    """The centre's account."""
    alarm_latency_s: AlarmLatency
    """How long alarms took from the tag to the centre."""
    heap: Heap | None = None
    """The firmware's heap; only where a real interpreter ran it."""

    @property
    def passed(self) -> bool:
        """Whether every expectation came true; True for a scenario that expects nothing."""
        return all(expectation.passed for expectation in self.expectations)

    def to_json(self) -> str:
        """`report.json`: fields in the order of the model, two spaces of indent, one newline at the end."""
        fields = self.model_dump(mode="json", by_alias=True)
        fields["frames"]["rejected"] = dict(sorted(self.frames.rejected.items()))
        for name in OPTIONAL_FIELDS:
            if fields[name] is None:
                del fields[name]
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def nearest_rank(sorted_values: Sequence[float], percent: int) -> float:
    """The smallest value that at least `percent` (1-100) of the sorted, non-empty values do not exceed."""
    rank = -(-percent * len(sorted_values) // 100)
    return sorted_values[rank - 1]


def latency_summary(latencies_s: Sequence[float]) -> AlarmLatency:
    """Median, 99th percentile and maximum of the latencies in seconds; all None when there are none."""
    if not latencies_s:
        return AlarmLatency(p50=None, p99=None, max=None)
    ordered = sorted(latencies_s)
    return AlarmLatency(p50=nearest_rank(ordered, 50), p99=nearest_rank(ordered, 99), max=ordered[-1])


def utc_text(when: datetime) -> str:
    """An aware datetime as the report writes it: UTC, ISO 8601, ending in Z; ValueError for a naive one."""
    if when.tzinfo is None:
        raise ValueError(f"{when} has no time zone")
    return when.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
