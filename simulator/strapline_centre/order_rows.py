"""Open orders in the ledger's database: what a tag was told and has not answered outlives a restart."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from strapline_centre.database import Database
from strapline_centre.tables import ORDERS


class OrderRow(NamedTuple):
    """One of them; `parameters` are plain JSON values."""

    tag: str
    kind: int
    identity: int
    parameters: dict[str, Any]
    made_utc: datetime


class OrderRows:
    """Of one ledger. What is put or dropped stands with the transaction around it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: OrderRow) -> None:
        values = row._asdict() | {"parameters": json.dumps(row.parameters), "made_utc": row.made_utc.isoformat()}
        with self._database.transaction():
            self._database.upsert(ORDERS, values)

    def drop(self, tag: str, kind: int, identity: int) -> None:
        o = ORDERS.c
        with self._database.transaction() as connection:
            connection.execute(ORDERS.delete().where((o.tag == tag) & (o.kind == kind) & (o.identity == identity)))

    def all(self) -> list[OrderRow]:
        """The oldest first."""
        o = ORDERS.c
        with self._database.reading() as connection:
            rows = connection.execute(select(ORDERS).order_by(o.made_utc, o.identity)).mappings()
            return [
                OrderRow(
                    row["tag"],
                    row["kind"],
                    row["identity"],
                    json.loads(row["parameters"]),
                    datetime.fromisoformat(row["made_utc"]),
                )
                for row in rows
            ]
