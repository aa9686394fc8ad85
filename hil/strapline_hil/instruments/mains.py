"""The base station's plug behind a relay channel."""

from contextlib import suppress

from strapline_hil.instruments.protocols import Relays
from strapline_hil.verdict import BenchError, RigError


class MainsRelay:
    """Wired over the contact that is closed at rest, so that the station has power while nobody tests.

    `on_at_rest=False` is for a plug on the other contact.
    """

    def __init__(self, relays: Relays, channel: int, *, on_at_rest: bool = True, name: str = "mains relay") -> None:
        self.name = name
        self._relays = relays
        self._channel = channel
        self._on_at_rest = on_at_rest

    def on(self) -> None:
        self._relays.set(self._channel, not self._on_at_rest)

    def off(self) -> None:
        self._relays.set(self._channel, self._on_at_rest)

    def check(self) -> list[str]:
        try:
            states = self._relays.states()
        except RigError as error:
            return [str(error)]
        return [] if self._channel in states else [f"{self.name}: no relay channel {self._channel}"]

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: nothing measures the plug, so a stuck relay looks like a station that does not notice"]

    def close(self) -> None:
        """The station has power again."""
        with suppress(BenchError):  # it is the end, and the board has gone
            self.on()
