"""Three tables for a data tool: every alert, every tamper, every home. Times are UTC; durations are seconds, with `_s` in their names."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.question import Household, Question, households
from strapline_simulator.fleet.spec import HomeResult

NAMES = ("alerts", "tampers", "homes")


class Tables:
    """Collects rows home by home; `write` makes the files."""

    def __init__(self, question: Question) -> None:
        try:
            import pyarrow as pa
        except ModuleNotFoundError:
            raise UserError("Parquet needs pyarrow: pip install 'strapline[fleet]'") from None
        self._start = question.start_utc.astimezone(UTC)
        self._homes: dict[int, Household] = {home.number: home for home in households(question)}
        self._schemas = _schemas(pa)
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}

    def add(self, result: HomeResult) -> None:
        home = {"home": result.number, "profile": self._homes[result.number].profile}
        for told in result.alerts:
            when = {"tag": told.tag, "t_s": told.t_s, "utc": self._utc(told.t_s)}
            row = {**home, **when, "code": told.code, "cause": told.cause, "is_false": not told.cause}
            self._rows["alerts"].append(row)
        for sown, after_s in result.caught:
            self._add_tamper(home, None, sown, after_s)
        for tag, sown in result.missed:
            self._add_tamper(home, tag, sown, None)
        counts = (
            "tags",
            "person_days",
            "heartbeats_sent",
            "heartbeats_folded",
            "heartbeats_accepted",
            "missing",
            "digest",
            "wall_s",
        )
        row = {**home, **{name: getattr(result, name) for name in counts}}
        row |= {
            "refused": sum(result.refused.values()),
            "records": sum(result.records.values()),
            "alerts": len(result.alerts),
        }
        self._rows["homes"].append(row)

    def _add_tamper(self, home: dict[str, Any], tag: str | None, sown: Any, after_s: float | None) -> None:
        row = {**home, "tag": tag, "t_s": sown.t_s, "utc": self._utc(sown.t_s), "kind": sown.kind}
        self._rows["tampers"].append(
            {**row, "alarms": list(sown.alarms), "within_s": sown.within_s, "after_s": after_s}
        )

    def _utc(self, t_s: float) -> datetime:
        return self._start + timedelta(seconds=t_s)

    def write(self, folder: Path) -> list[Path]:
        """`alerts.parquet`, `tampers.parquet`, `homes.parquet`; each whole or not at all."""
        import pyarrow as pa
        from pyarrow import parquet

        written = []
        for name in NAMES:
            path = folder / f"{name}.parquet"
            table = pa.Table.from_pylist(self._rows[name], schema=self._schemas[name])
            parquet.write_table(table, path.with_suffix(".tmp"), compression="zstd")
            path.with_suffix(".tmp").replace(path)
            written.append(path)
        return written


def write_tables(question: Question, results: Iterable[HomeResult], folder: Path) -> list[Path]:
    tables = Tables(question)
    for result in results:
        tables.add(result)
    return tables.write(folder)


def _schemas(pa: Any) -> dict[str, Any]:
    home = [("home", pa.int32()), ("profile", pa.string())]
    moment = [("tag", pa.string()), ("t_s", pa.float64()), ("utc", pa.timestamp("ms", tz="UTC"))]
    return {
        "alerts": pa.schema([*home, *moment, ("code", pa.string()), ("cause", pa.string()), ("is_false", pa.bool_())]),
        "tampers": pa.schema(
            [
                *home,
                *moment,
                ("kind", pa.string()),
                ("alarms", pa.list_(pa.string())),
                ("within_s", pa.float64()),
                ("after_s", pa.float64()),
            ]
        ),
        "homes": pa.schema(
            [
                *home,
                ("tags", pa.int32()),
                ("person_days", pa.float64()),
                ("heartbeats_sent", pa.int64()),
                ("heartbeats_folded", pa.int64()),
                ("heartbeats_accepted", pa.int64()),
                ("refused", pa.int64()),
                ("records", pa.int64()),
                ("missing", pa.int64()),
                ("alerts", pa.int64()),
                ("digest", pa.string()),
                ("wall_s", pa.float64()),
            ]
        ),
    }
