"""A trace as a table (CSV, JSON lines, Parquet) or its positions as a track (GPX)."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from strapline_protocol.errors import UserError
from strapline_simulator.traces.reading import Reading

COLUMNS = ("number", "time", "interface", "direction", "gateway", "tag", "kind", "fields", "bytes")
_BATCH_ROWS = 10_000
_DAY_S = 86_400


def export(readings: Iterable[Reading], path: Path) -> int:
    """Write them in the form that the file's name asks for; gives how many rows or positions. UserError."""
    write = _FORMS.get(path.suffix.lower())
    if write is None:
        raise UserError(f"{path}: no form of that name; end it in {', '.join(_FORMS)}")
    try:
        return write(readings, path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; give a file that can be written") from None


def row_of(reading: Reading) -> dict[str, Any]:
    """One packet as a row; `fields` as they are."""
    packet = reading.packet
    way = {True: "up", False: "down", None: ""}[packet.inbound]
    at = datetime.fromtimestamp(packet.utc_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = (reading.number, at, packet.interface, way, reading.gateway, reading.tag, reading.kind)
    return dict(zip(COLUMNS, (*values, reading.fields, packet.data.hex()), strict=True))


def _csv(readings: Iterable[Reading], path: Path) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for reading in readings:
            count += 1
            row = row_of(reading)
            table.writerow({**row, "fields": json.dumps(row["fields"], sort_keys=True)})
    return count


def _jsonl(readings: Iterable[Reading], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for reading in readings:
            count += 1
            file.write(json.dumps(row_of(reading), sort_keys=True) + "\n")
    return count


def _parquet(readings: Iterable[Reading], path: Path) -> int:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise UserError(f"{path}: Parquet needs pyarrow; pip install 'strapline[fleet]', or export to .csv") from None
    text = [pa.field(name, pa.string()) for name in COLUMNS[2:8]]
    schema = pa.schema(
        [
            pa.field("number", pa.int64()),
            pa.field("time", pa.timestamp("us", "UTC")),
            *text,
            pa.field("bytes", pa.binary()),
        ]
    )
    count = 0
    with pq.ParquetWriter(path, schema) as writer:
        for batch in _batches(readings):
            writer.write_table(pa.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _batches(readings: Iterable[Reading]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for reading in readings:
        row = row_of(reading)
        at = datetime.fromtimestamp(reading.packet.utc_s, UTC)
        batch.append(
            {**row, "time": at, "fields": json.dumps(row["fields"], sort_keys=True), "bytes": reading.packet.data}
        )
        if len(batch) == _BATCH_ROWS:
            yield batch
            batch = []
    yield batch


def _gpx(readings: Iterable[Reading], path: Path) -> int:
    import gpxpy.gpx

    tracks: dict[str, dict[tuple[int, int], Any]] = {}
    for reading in readings:
        if "lat_e7" in reading.fields:
            seen = tracks.setdefault(reading.tag or "unknown", {})
            # The same position passes several links.
            seen.setdefault((reading.fields["boot"], reading.fields["uptime_s"]), reading)
    gpx = gpxpy.gpx.GPX()
    for tag, positions in sorted(tracks.items()):
        points = [(_fix_time(one), _point(gpxpy.gpx, one)) for one in positions.values()]
        track = gpxpy.gpx.GPXTrack(name=tag)
        track.segments.append(gpxpy.gpx.GPXTrackSegment([point for _, point in sorted(points, key=itemgetter(0))]))
        gpx.tracks.append(track)
    count = sum(map(len, tracks.values()))
    if not count:
        raise UserError(f"{path}: no position can be read in this trace; give the centre's key file with --key")
    path.write_text(gpx.to_xml(), encoding="utf-8")
    return count


def _point(gpx: Any, reading: Reading) -> Any:
    fields = reading.fields
    return gpx.GPXTrackPoint(fields["lat_e7"] / 1e7, fields["lon_e7"] / 1e7, time=_fix_time(reading))


def _fix_time(reading: Reading) -> datetime:
    """The receiver's; of one without a date, the latest such time of day before it was heard."""
    fields, heard_s = reading.fields, reading.packet.utc_s
    at_s = fields["utc_s"] + fields["utc_ms"] / 1000
    if not fields["flags"] & 1 and at_s < _DAY_S:
        at_s = heard_s - (heard_s - at_s) % _DAY_S
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=at_s)


_FORMS: dict[str, Callable[[Iterable[Reading], Path], int]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".gpx": _gpx,
}
