"""A ledger in memory: what `strapline_centre.ledger` keeps in a database, for a centre that ends with the run. It decides nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from strapline_centre.alert_rows import Alert, StepRow
from strapline_centre.ledger import Entry, Outcome, RefusedEntry
from strapline_protocol.received import Journals
from strapline_wire.frames import Tombstone


class _AlertRows:
    """The book itself holds the alerts: nothing here outlives it."""

    def put(self, alerts: Iterable[Alert]) -> None:
        pass

    def newest_id(self) -> int:
        return 0

    def open(self) -> list[Alert]:
        return []

    def put_step(self, step: StepRow) -> None:
        pass

    def steps(self, *, alert: int | None = None, open_only: bool = False) -> list[StepRow]:
        del alert, open_only
        return []


class _OrderRows:
    def put(self, row: object) -> None:
        pass

    def drop(self, tag: str, kind: int, identity: int) -> None:
        pass

    def all(self) -> list[Any]:
        return []


class _Notes:
    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def put(self, name: str, value: Any) -> None:
        self._held[name] = value

    def all(self, beginning: str) -> dict[str, Any]:
        return {name.removeprefix(beginning): v for name, v in self._held.items() if name.startswith(beginning)}


class MemoryLedger:
    """What `Centre` uses of a `Ledger`. Records are told to `on_entry` and not held: their journals and contents' marks are."""

    def __init__(self) -> None:
        self.duplicates = self.conflicts = 0
        self.journals = Journals()
        self.alerts = _AlertRows()
        self.orders = _OrderRows()
        self.notes = _Notes()
        self.notes.put("judged/by", 2)
        self._contents: dict[tuple[str, int, int], int] = {}
        self._added: list[Entry] = []
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if not self._depth:
            self._note_added()

    def _note_added(self) -> None:
        for entry in self._added:
            droppable = entry.kind in ("fix", "raw")
            self.journals.add(entry.source, entry.journal, entry.sequence, droppable=droppable)
            if entry.kind == "tombstone":
                stone = Tombstone(tuple(entry.fields[n] for n in ("boot", "uptime_s", "first", "last", "dropped")))
                self.journals.bury(entry.source, entry.journal, stone)
        self._added.clear()

    def claim_epoch(self, wanted: int) -> int:
        return wanted

    def add(self, entry: Entry) -> Outcome:
        identity, mark = (entry.source, entry.journal, entry.sequence), hash(entry.content)
        held = self._contents.get(identity)
        if held is None:
            self._contents[identity] = mark
            self._added.append(entry)
            return Outcome.NEW
        if held != mark:
            self.conflicts += 1
            return Outcome.CONFLICT
        self.duplicates += 1
        return Outcome.DUPLICATE

    def refuse(self, refused: RefusedEntry) -> bool:
        del refused
        return True

    def refused(self) -> Iterator[RefusedEntry]:
        return iter(())

    def entries(self) -> Iterator[Entry]:
        return iter(())

    def newest(self, count: int) -> list[Entry]:
        del count
        return []

    def last_heard(self) -> dict[str, datetime]:
        return {}

    def rekeyings(self, tag: str, root: str) -> list[tuple[int, bytes, bool]]:
        del tag, root
        return []
