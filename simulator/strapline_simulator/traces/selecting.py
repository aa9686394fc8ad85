"""Which packets of a trace are meant: by interface, tag, gateway, kind and time."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.errors import UserError
from strapline_simulator.trace import INTERFACES, Packet, read_keys, read_trace
from strapline_simulator.traces.keybox import KeyBox, TraceKeys, read_keys_text
from strapline_simulator.traces.reading import Reader, Reading

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?:in)?)?(?:(\d+(?:\.\d+)?)s?)?")
_UNITS_S = (86400, 3600, 60, 1)

MOMENT_HELP = "seconds from the beginning (90, 1h30m) or a time in UTC (2026-03-02T19:00:00Z)"


class Selection(NamedTuple):
    """Empty means all. `start` and `until` are as the user wrote them (`moment`)."""

    interfaces: Sequence[str] = ()
    tags: Sequence[str] = ()
    gateways: Sequence[str] = ()
    kinds: Sequence[str] = ()
    start: str = ""
    until: str = ""

    def check(self) -> None:
        """UserError for what no trace can have."""
        for name in self.interfaces:
            if name not in INTERFACES:
                raise UserError(f"no interface {name!r} in a trace; one of {', '.join(INTERFACES)}")
        for text in (self.start, self.until):
            if text:
                moment(text, 0.0)

    def takes(self, reading: Reading, begin_s: float) -> bool:
        """Whether this one is meant, in a trace that begins then."""
        at = reading.packet.utc_s
        return (
            _is_in(reading.packet.interface, self.interfaces)
            and _is_in(reading.tag, self.tags)
            and _is_in(reading.gateway, self.gateways)
            and _is_in(reading.kind, self.kinds)
            and not (self.start and at < moment(self.start, begin_s))
            and not (self.until and at >= moment(self.until, begin_s))
        )


def _is_in(value: str, wanted: Sequence[str]) -> bool:
    return not wanted or value in wanted


def moment(text: str, begin_s: float) -> float:
    """Unix time of what a user wrote; UserError."""
    found = _SPAN.fullmatch(text)
    if found and text:
        return begin_s + span_s(text)
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no time in a trace; write {MOMENT_HELP}") from None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def span_s(text: str) -> float:
    """Seconds of `90`, `1h30m`, `2d`; UserError."""
    found = _SPAN.fullmatch(text)
    if not found or not text:
        raise UserError(f"{text!r} is no span of time; write 90, 1h30m or 2d")
    return sum(float(number) * unit for number, unit in zip(found.groups(), _UNITS_S, strict=True) if number)


_HEAD_BYTES = 12
"""By so many a pcapng file can be told."""


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What is wrong with a file, in one line."""
    try:
        with path.open("rb") as file:
            if len(file.read(_HEAD_BYTES)) < _HEAD_BYTES:
                raise ValueError(f"{path} is not a readable trace: it is empty, or ends before its first header")
        yield
    except OSError as error:
        mend = "name a trace, such as trace.pcapng of `strapline run --out`"
        raise UserError(f"{path}: {error.strerror or error}; {mend}") from None
    except ValueError as error:
        raise UserError(f"{error}; name a pcapng file of strapline's") from None


def packets_of(path: Path) -> Iterator[Packet]:
    """The packets of a file; UserError."""
    with _told(path):
        yield from read_trace(path)


def held_keys(path: Path) -> list[TraceKeys]:
    """The keys that a trace holds; none where it holds none. UserError where it is no trace."""
    found = []
    with _told(path):
        for text in read_keys(path):
            with suppress(ValueError):  # of a later version, or somebody else's
                found.append(read_keys_text(text))
    return found


def key_box(path: Path, key_files: Iterable[Path]) -> KeyBox:
    """The keys of these files, and those that the trace itself holds; UserError."""
    keys = KeyBox()
    for file in key_files:
        keys.read(file)
    for held in held_keys(path):
        keys.add(held.gateways, held.centres)
    return keys


def selected(path: Path, keys: KeyBox, selection: Selection) -> Iterator[Reading]:
    """What is meant of a trace, read; UserError."""
    selection.check()
    begin_s: float | None = None
    for reading in Reader(keys).read_all(packets_of(path)):
        begin_s = reading.packet.utc_s if begin_s is None else begin_s
        if selection.takes(reading, begin_s):
            yield reading
