"""The tag's side: single advertising events, and a byte stream each way in portions of a notification."""

import asyncio
from collections.abc import Callable

from strapline_simulator.advertising import require_static, with_service_data
from strapline_simulator.frame_air.air import FrameAir
from strapline_simulator.frame_air.end import End

ATT_MTU = 247
"""One whole ATT packet in one link-layer packet of 251 bytes, as on the whole air."""

NOTIFICATION_MAX = ATT_MTU - 3


class FrameTagRadio:
    """As `ble.TagRadio`, its contract included: callbacks come from the loop, never from within a call."""

    def __init__(
        self,
        name: str,
        air: FrameAir,
        *,
        on_link_up: Callable[[], None],
        on_data: Callable[[bytes], None],
        on_link_down: Callable[[], None],
    ) -> None:
        """`on_link_up` comes when a central has subscribed; `on_link_down` comes once for each `on_link_up`."""
        self.name = name
        self.is_on = False
        self._air = air
        self._on_link_up = on_link_up
        self._on_data = on_data
        self._on_link_down = on_link_down
        self._end: End | None = None
        self.subscribed = False

    @property
    def is_connected(self) -> bool:
        return self._end is not None

    async def start(self) -> None:
        """Power on; RuntimeError if it is on already."""
        if self.is_on:
            raise RuntimeError(f"the radio of {self.name} is on already")
        self._air.join(self)
        self.is_on = True

    async def stop(self) -> None:
        """Power off without a word: the central sees the supervision time-out, `on_link_down` comes now."""
        if self.is_on:
            self.is_on = False
            self._air.leave(self)
            if self._end is not None:
                self._end.go_dark()

    def advertise(self, address: bytes, service_data: bytes) -> None:
        """One legacy advertising event now, from a random static address (6 bytes, most significant first).

        ValueError for an address of another kind or more than 24 bytes of service data; RuntimeError while the radio is off.
        """
        data = with_service_data(service_data)
        require_static(address)
        if not self.is_on:
            raise RuntimeError(f"the radio of {self.name} is off")
        self._air.advertise(self, address, data, connectable=self._end is None)

    def send(self, data: bytes) -> None:
        """Send bytes to the subscribed central, in order, as notifications; dropped while there is none."""
        end = self._end
        if end is None or not self.subscribed:
            return
        for start in range(0, len(data), NOTIFICATION_MAX):
            end.send(data[start : start + NOTIFICATION_MAX])

    def disconnect(self) -> None:
        """Send what is queued, then close the connection, if there is one."""
        if self._end is not None:
            asyncio.get_running_loop().call_soon(self._end.close)

    # The air's and the client's side.

    def take(self, end: End) -> None:
        """Connected: of several advertising events in one moment the first connects."""
        if self._end is not None:
            end.close()
            return
        self._end = end
        end.on_data = self._on_data
        end.on_closed = self._closed

    def receive(self, data: bytes) -> None:
        """The central wrote this."""
        asyncio.get_running_loop().call_soon(self._on_data, data)

    def subscribe(self, *, on: bool) -> None:
        """The central wants notifications, or no more."""
        if not on:
            self._link_down()
        elif not self.subscribed:
            self.subscribed = True
            asyncio.get_running_loop().call_soon(self._on_link_up)

    def _closed(self) -> None:
        self._end = None
        self._link_down()

    def _link_down(self) -> None:
        if self.subscribed:
            self.subscribed = False
            asyncio.get_running_loop().call_soon(self._on_link_down)
