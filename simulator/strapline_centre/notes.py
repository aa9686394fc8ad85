"""Small things that the centre remembers over a restart, by name: JSON in the ledger's database."""

import json
from typing import Any

from sqlalchemy import select

from strapline_centre.database import Database
from strapline_centre.tables import NOTES


class Notes:
    """Of one ledger. What is put stands with the transaction around it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, name: str, value: Any) -> None:
        with self._database.transaction():
            self._database.upsert(NOTES, {"name": name, "value": json.dumps(value, sort_keys=True)})

    def all(self, beginning: str) -> dict[str, Any]:
        """Those whose names begin so, without that beginning."""
        query = select(NOTES.c.name, NOTES.c.value).where(NOTES.c.name.startswith(beginning, autoescape=True))
        with self._database.reading() as connection:
            return {name.removeprefix(beginning): json.loads(value) for name, value in connection.execute(query)}
