"""What the centre wants of a tag and has no answer to yet. A gateway may lose a command: it goes again until the tag has answered."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from strapline_protocol.codes import EventCode, Kind

AGAIN = timedelta(minutes=2)
"""Whoever is heard without having answered for so long is told again: longer than a base station's own round."""


class Order(NamedTuple):
    """One of them. `identity` is the document's revision or the message's id; `seal` makes it anew, under new numbers."""

    kind: Kind
    identity: int
    seal: Callable[[], tuple[bytes, ...]]


class OpenOrders:
    """Those of one tag, the oldest first. They are kept in memory: a centre that starts again is asked again."""

    def __init__(self) -> None:
        self._open: dict[tuple[Kind, int], Order] = {}
        self._told: dict[tuple[Kind, int], datetime] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, order: Order, now: datetime) -> None:
        """It is on its way. A newer document takes the place of an older one of its kind."""
        if order.kind != Kind.MESSAGE:
            self._drop(lambda open_one: open_one.kind == order.kind)
        self._open[order.kind, order.identity] = order
        self._told[order.kind, order.identity] = now

    def answered(self, code: int, detail: int) -> None:
        """An event of the tag; some answer an order."""
        if code == EventCode.APPLIED:
            kind, low = detail >> 24, detail & 0xFFFFFF
            self._drop(lambda order: order.kind == kind and order.identity & 0xFFFFFF == low)
        elif code == EventCode.MESSAGE_SHOWN:
            self._drop(lambda order: order.kind == Kind.MESSAGE and order.identity & 0x7FFFFFFF == detail)
        elif code == EventCode.LOCATED:
            self._drop(lambda order: order.kind == Kind.LOCATE and order.identity & 0x7FFFFFFF == detail)
        elif code == EventCode.COMMAND_REFUSED:
            self._drop(lambda order: order.kind == detail >> 8)

    def _drop(self, answers: Callable[[Order], bool]) -> None:
        for key in [key for key, order in self._open.items() if answers(order)]:
            del self._open[key], self._told[key]

    def due(self, now: datetime) -> list[Order]:
        """Those to send again, now that the tag has been heard."""
        due = [order for key, order in self._open.items() if now >= self._told[key] + AGAIN]
        for order in due:
            self._told[order.kind, order.identity] = now
        return due
