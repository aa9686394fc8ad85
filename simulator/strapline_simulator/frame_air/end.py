"""One side of a connection: what it hands over, and how it closes."""

from collections.abc import Callable
from typing import Any

from strapline_simulator.air_link import Link


class End:
    """Belongs to one radio; open from its making until either side closes it or silence does."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.open = True
        self.dark = False
        """Its radio was switched off: nothing that it had still to say gets out."""
        self.on_closed: Callable[[], None] = _nothing
        self.on_data: Callable[[bytes], None] = _ignore

    def join(self, link: "Link[End]", peer: "End") -> None:
        self._link, self._peer = link, peer

    def send(self, data: bytes) -> None:
        """The peer's `on_data` gets it, in order."""
        self._link.carry(self._peer, lambda peer: peer.on_data(data))

    def ask(self, request: Callable[["End"], None]) -> None:
        """Have the peer's side do this once what was sent before has crossed."""
        self._link.carry(self._peer, request)

    def close(self) -> None:
        """Close here, and have the peer told if it can hear."""
        if self.open:
            self._shut()
            self._link.carry(self._peer, End._shut)

    def go_dark(self) -> None:
        """Without a word: the peer finds out by the silence."""
        self.dark = True
        if self.open:
            self._shut()

    def time_out(self) -> None:
        self._shut()

    def _shut(self) -> None:
        self.open = False
        self.on_closed()


def _nothing() -> None:
    """Nobody has taken this end yet."""


def _ignore(_data: bytes) -> None:
    """Nobody has taken this end yet."""
