"""Alerts and the steps of their escalation, as rows of the ledger's database. Nothing here decides, and nothing deletes."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, func, select

from strapline_centre.database import Database
from strapline_centre.tables import ALERTS, STEPS, row_of


class Alert(NamedTuple):
    """One alert: about a tag (or a gateway), why, since when (centre's clock). It is open until a person has acknowledged it."""

    subject: str
    code: str
    text: str
    raised_utc: datetime
    id: int = 0
    key: str = ""
    """Tells alerts of one subject and code apart."""
    gateway: str = ""
    """Which told it first; empty where none did."""
    times: int = 1
    """How often it happened while nobody had looked."""
    last_utc: datetime | None = None
    """When it happened last; None where that is when it was raised."""
    over_utc: datetime | None = None
    """Since when what it tells of is over. The alert stays."""
    merged_into: int | None = None
    """A provisional alarm whose record told of what another open alert tells: that one goes on for both."""
    acknowledged_utc: datetime | None = None
    acknowledged_by: str = ""
    note: str = ""

    @property
    def is_open(self) -> bool:
        return self.acknowledged_utc is None and self.merged_into is None

    @property
    def last(self) -> datetime:
        return self.last_utc or self.raised_utc


class StepRow(NamedTuple):
    """One step of an alert's escalation, from its beginning; `told_utc` is None until the hook has answered."""

    alert: int
    number: int
    role: str
    begun_utc: datetime
    told_utc: datetime | None = None
    outcome: str = ""


class AlertRows:
    """Of one ledger. What is put stands with the transaction around it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, alerts: Iterable[Alert]) -> None:
        with self._database.transaction():
            for alert in alerts:
                self._database.upsert(ALERTS, row_of(alert._replace(last_utc=alert.last)))

    def newest_id(self) -> int:
        with self._database.reading() as connection:
            return int(connection.execute(select(func.max(ALERTS.c.id))).scalar() or 0)

    def open(self) -> list[Alert]:
        """Those that nobody has acknowledged, the oldest first."""
        a = ALERTS.c
        with self._database.reading() as connection:
            return list(
                _alerts(
                    connection.execute(_ORDERED.where(a.acknowledged_utc.is_(None), a.merged_into.is_(None))).mappings()
                )
            )

    def all(self, since_id: int = 0, limit: int | None = None) -> list[Alert]:
        """All, those of the past too, from after this id on."""
        with self._database.reading() as connection:
            return list(_alerts(connection.execute(_ORDERED.where(ALERTS.c.id > since_id).limit(limit)).mappings()))

    def put_step(self, step: StepRow) -> None:
        with self._database.transaction():
            self._database.upsert(STEPS, row_of(step))

    def steps(self, *, alert: int | None = None, open_only: bool = False) -> list[StepRow]:
        """In the order of the alerts and of the steps; `open_only`: of open alerts, and what was not told yet."""
        s, a = STEPS.c, ALERTS.c
        query = select(STEPS).order_by(s.alert, s.number)
        if alert is not None:
            query = query.where(s.alert == alert)
        if open_only:
            still = select(a.id).where(a.acknowledged_utc.is_(None), a.merged_into.is_(None))
            query = query.where(s.alert.in_(still) | s.told_utc.is_(None))
        with self._database.reading() as connection:
            return [
                StepRow(
                    row["alert"],
                    row["number"],
                    row["role"],
                    _moment(row["begun_utc"]),
                    _maybe(row["told_utc"]),
                    row["outcome"],
                )
                for row in connection.execute(query).mappings()
            ]


_ORDERED = select(ALERTS).order_by(ALERTS.c.id)


def _alerts(rows: Iterable[RowMapping]) -> Iterator[Alert]:
    for row in rows:
        values: dict[str, Any] = {str(name): value for name, value in row.items()}
        for name in ("raised_utc", "last_utc"):
            values[name] = _moment(values[name])
        for name in ("over_utc", "acknowledged_utc"):
            values[name] = _maybe(values[name])
        if values["last_utc"] == values["raised_utc"]:
            values["last_utc"] = None
        yield Alert(**values)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
