"""What the centre wants of a tag and has no answer to yet. A gateway may lose a command: it goes again until the tag has answered."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from strapline_centre.order_rows import OrderRow, OrderRows
from strapline_protocol.codes import EventCode, Kind
from strapline_protocol.commands import CommandSealer

AGAIN = timedelta(minutes=2)
"""Whoever is heard without having answered for so long is told again: longer than a base station's own round."""


LOCATE_LIMIT = timedelta(hours=4, minutes=30)
"""A tag is heard each 4 h at the latest (R11): a position "now" that it could not be asked for by then is asked for no more."""


class Order(NamedTuple):
    """One of them. `identity` is the document's revision or the message's id; `parameters` are what its sealing takes, as plain JSON."""

    kind: Kind
    identity: int
    parameters: dict[str, Any]
    made_utc: datetime


def seal(sealer: CommandSealer, order: Order) -> tuple[bytes, ...]:
    """The order anew, under new numbers."""
    values = {name: _tuples(value) for name, value in order.parameters.items()}
    if order.kind == Kind.CURFEW:
        return sealer.curfew(order.identity, **values)
    if order.kind == Kind.CONFIG:
        return sealer.config(order.identity, **values)
    if order.kind == Kind.ZONES:
        return sealer.zones(order.identity, **values)
    if order.kind == Kind.LOCATE:
        return (sealer.locate(order.identity, **values),)
    return (sealer.message(order.identity, **values),)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


class OpenOrders:
    """Those of all tags, the oldest first. With `rows` they outlive a restart; what is told stands with the transaction around it."""

    def __init__(self, rows: OrderRows | None = None) -> None:
        self._rows = rows
        self._open: dict[str, dict[tuple[Kind, int], Order]] = {}
        self._told: dict[tuple[str, Kind, int], datetime] = {}
        self._ends: dict[tuple[str, int], datetime] = {}
        """When each open LOCATE is worth nothing any more."""
        self.reload()

    def reload(self) -> None:
        """Those that are kept; each goes again when its tag is heard."""
        self._open.clear()
        self._ends.clear()
        for row in [] if self._rows is None else self._rows.all():
            order = Order(Kind(row.kind), row.identity, row.parameters, row.made_utc)
            self._enter(row.tag, order)

    def _enter(self, tag: str, order: Order) -> None:
        self._open.setdefault(tag, {})[order.kind, order.identity] = order
        if order.kind == Kind.LOCATE:
            within = timedelta(seconds=order.parameters["within_s"])
            self._ends[tag, order.identity] = order.made_utc + LOCATE_LIMIT + within

    def expire(self, now: datetime) -> None:
        """Let go of each LOCATE that is too old; within a transaction."""
        for (tag, identity), end in list(self._ends.items()):
            if now >= end:
                self._drop(tag, lambda order, old=identity: (order.kind, order.identity) == (Kind.LOCATE, old))  # type: ignore[misc] # one argument

    def of(self, tag: str) -> list[Order]:
        return list(self._open.get(tag, {}).values())

    @property
    def newest(self) -> int:
        """The highest identity of those that are open."""
        return max((order.identity for orders in self._open.values() for order in orders.values()), default=0)

    def add(self, tag: str, order: Order, now: datetime) -> None:
        """It is on its way. A newer document takes the place of an older one of its kind."""
        if order.kind != Kind.MESSAGE:
            self._drop(tag, lambda open_one: open_one.kind == order.kind)
        if self._rows is not None:
            self._rows.put(OrderRow(tag, int(order.kind), order.identity, order.parameters, order.made_utc))
        self._enter(tag, order)
        self._told[tag, order.kind, order.identity] = now

    def answered(self, tag: str, code: int, detail: int) -> None:
        """An event of the tag; some answer an order."""
        if code == EventCode.APPLIED:
            kind, low = detail >> 24, detail & 0xFFFFFF
            self._drop(tag, lambda order: order.kind == kind and order.identity & 0xFFFFFF == low)
        elif code == EventCode.MESSAGE_SHOWN:
            self._drop(tag, lambda order: order.kind == Kind.MESSAGE and order.identity & 0x7FFFFFFF == detail)
        elif code == EventCode.LOCATED:
            self._drop(tag, lambda order: order.kind == Kind.LOCATE and order.identity & 0x7FFFFFFF == detail)
        elif code == EventCode.COMMAND_REFUSED:
            self._drop(tag, lambda order: order.kind == detail >> 8)

    def _drop(self, tag: str, answers: Callable[[Order], bool]) -> None:
        for key, order in list(self._open.get(tag, {}).items()):
            if answers(order):
                if self._rows is not None:
                    self._rows.drop(tag, int(order.kind), order.identity)
                del self._open[tag][key]
                self._told.pop((tag, *key), None)
                self._ends.pop((tag, order.identity), None)

    def due(self, tag: str, now: datetime) -> list[Order]:
        """Those to send again, now that the tag has been heard."""
        due = []
        for key, order in self._open.get(tag, {}).items():
            told = self._told.get((tag, *key))
            if told is None or now >= told + AGAIN:
                self._told[tag, *key] = now
                due.append(order)
        return due
