"""What touches the tag, each behind a relay channel: its case's switch, charger, water contacts, button."""

from collections.abc import Mapping
from contextlib import suppress

from strapline_hil.instruments.protocols import Relays
from strapline_hil.verdict import BenchError, RigError

CHANNELS: Mapping[str, int] = {"case_open": 4, "charging": 5, "immersed": 6, "button": 7}


class Contacts:
    """Each is there while its channel is on."""

    def __init__(self, relays: Relays, *, channels: Mapping[str, int] = CHANNELS, name: str = "contacts") -> None:
        self.name = name
        self._relays = relays
        self._channels = dict(channels)

    @property
    def names(self) -> frozenset[str]:
        """What this rig can touch."""
        return frozenset(self._channels)

    def set(self, contact: str, on: bool) -> None:
        if contact not in self._channels:
            has = ", ".join(sorted(self._channels)) or "none"
            raise RigError(
                self.name, f"no contact {contact} (this rig has {has})", "give it a relay channel in the rig file"
            )
        self._relays.set(self._channels[contact], on)

    def check(self) -> list[str]:
        try:
            states = self._relays.states()
        except RigError as error:
            return [str(error)]
        return [
            f"{self.name}: no relay channel {channel} for {contact}"
            for contact, channel in self._channels.items()
            if channel not in states
        ]

    def blind_spots(self) -> list[str]:
        return [f"{self.name}: nothing measures them, so a stuck relay looks like a tag that does not notice"]

    def close(self) -> None:
        with suppress(BenchError):  # it is the end, and the board has gone
            for channel in self._channels.values():
                self._relays.set(channel, False)
