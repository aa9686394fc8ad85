"""Listening in on a gateway's links and on its broker, for whoever asks meanwhile. It tells bytes as they pass, and opens none."""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from strapline_protocol.mqtt import Listener, MqttClient

LIMIT_BYTES = 4 << 20
"""Held for whoever listens in; of what he does not fetch in time the oldest goes, and is counted."""

PATIENCE_S = 15.0
"""Whoever has asked for nothing in so long listens no more, and nothing is held for him."""

ANSWER_BYTES = 512 << 10
"""In one answer, so that the gateway is not held up."""

_OVERHEAD_BYTES = 200
"""What holding a packet costs beside its bytes, roughly."""


class Crossing(NamedTuple):
    """Something that has passed."""

    number: int
    utc_s: float
    interface: str
    """As in a trace: `air`, `serial`, `cellular`, `mqtt`."""
    inbound: bool
    """Towards the centre."""
    line: int
    """The connection's number, whose bytes come in any portions; 0 for what is whole, such as an advertisement."""
    tag: str
    """The tag that has proved itself on the line by now."""
    data: bytes
    notes: dict[str, str]


class Taken(NamedTuple):
    """An answer."""

    crossings: list[Crossing]
    last: int
    """The number to ask after next time."""
    lost: int
    """So many since the last time were let go before they were fetched."""


class Tap:
    """`utc_s()` and `now()` are the wall clock and one that does not go back. As made without arguments it is never open."""

    def __init__(
        self,
        utc_s: Callable[[], float] = lambda: 0.0,
        now: Callable[[], float] = lambda: 0.0,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._utc_s = utc_s
        self._now = now
        self._limit_bytes = limit_bytes
        self._held: deque[Crossing] = deque()
        self._size = 0
        self._last = 0
        self._open_until = float("-inf")
        self.tag_of: Callable[[int], str | None] = lambda _line: None
        """The station's."""

    @property
    def is_open(self) -> bool:
        """Whether anybody listens."""
        return self._open_until > self._now()

    def note(self, interface: str, data: bytes, *, inbound: bool, line: int = 0, **notes: object) -> None:
        """Something passes."""
        if self._open_until == float("-inf"):
            return
        if not self.is_open:
            self._close()
            return
        self._last += 1
        tag = (self.tag_of(line) or "") if line else ""
        told = {name: str(value) for name, value in notes.items()}
        self._held.append(Crossing(self._last, self._utc_s(), interface, inbound, line, tag, bytes(data), told))
        self._size += len(data) + _OVERHEAD_BYTES
        while self._size > self._limit_bytes:
            self._size -= len(self._held.popleft().data) + _OVERHEAD_BYTES

    def take(self, after: int | None) -> Taken:
        """What has passed after that number; None begins with what passes from now on."""
        if after is None or not self.is_open:
            lost = 0 if after is None else max(0, self._last - after)
            self._open_until = self._now() + PATIENCE_S
            return Taken([], self._last, lost)
        self._open_until = self._now() + PATIENCE_S
        first = self._held[0].number if self._held else self._last + 1
        lost = max(0, first - 1 - after)
        taken, size = [], 0
        for crossing in self._held:
            if crossing.number > after and size <= ANSWER_BYTES:
                taken.append(crossing)
                size += len(crossing.data) + _OVERHEAD_BYTES
        return Taken(taken, taken[-1].number if taken else max(after, first - 1), lost)

    def _close(self) -> None:
        self._held.clear()
        self._size = 0
        self._open_until = float("-inf")


def plain(taken: Taken) -> dict[str, Any]:
    """For an answer in JSON; bytes in hexadecimal digits."""
    crossings = [[*crossing[:-2], crossing.data.hex(), crossing.notes] for crossing in taken.crossings]
    return {"crossings": crossings, "last": taken.last, "lost": taken.lost}


class TappedClient:
    """An `MqttClient` around another; what goes out and comes in is noted."""

    def __init__(self, inner: MqttClient, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap

    async def connect(self, listener: Listener) -> None:
        await self._inner.connect(_TappedListener(listener, self._tap))

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        notes = {"retain": 1} if retain else {}
        self._tap.note("mqtt", topic.encode() + b"\0" + payload, inbound=True, **notes)
        return self._inner.publish(topic, payload, retain=retain, expiry_s=expiry_s)

    async def close(self) -> None:
        await self._inner.close()


class _TappedListener:
    def __init__(self, inner: Listener, tap: Tap) -> None:
        self._inner = inner
        self._tap = tap
        self.mqtt_connected = inner.mqtt_connected
        self.mqtt_disconnected = inner.mqtt_disconnected
        self.mqtt_published = inner.mqtt_published

    def mqtt_message(self, topic: str, payload: bytes) -> None:
        self._tap.note("mqtt", topic.encode() + b"\0" + payload, inbound=False)
        self._inner.mqtt_message(topic, payload)
