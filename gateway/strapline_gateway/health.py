"""What a link says of itself, for metrics and status. Numbers and states; nobody's name, no bytes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class LinkState(StrEnum):
    """How a link is. Only `DEAF` and `DOWN` want a look."""

    CLOSED = "closed"
    """Not opened yet, or ended."""
    UP = "up"
    QUIET = "quiet"
    """It works as far as it can tell, and there is nobody to be heard."""
    DEAF = "deaf"
    """There ought to be somebody to be heard: being restarted."""
    DOWN = "down"
    """It cannot be opened, or has gone: tried again and again."""


class Health(NamedTuple):
    """One look at one link."""

    name: str
    """As it was configured, such as `ble:hci0`."""
    state: LinkState
    connections: int
    last_heard_s: float | None
    """When anybody was heard last, on the event loop's clock."""
    restarts: int
    failures: Mapping[str, int]
    """What went wrong since the start, by kind."""
