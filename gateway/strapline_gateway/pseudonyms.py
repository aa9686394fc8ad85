"""Whose pseudonym is this? A table of the slots around each tag's present one, so that an answer costs one look-up."""

from typing import Protocol

from strapline_wire.keys import Slot

_AHEAD = 2
"""Slots kept ready after the newest one heard: at least ten minutes of silence."""

_SEARCH = 192
"""How far a search goes beyond what silence explains: a reboot skips up to 64 slots, and a few may come in a row."""

_SEARCH_PAUSE_S = 60.0
"""Strangers may advertise anything; this is how often they can make us search."""


class BlockCipher(Protocol):
    """A cipher on the header key."""

    def block(self, data: bytes) -> bytes: ...


class _Known:
    def __init__(self, header: BlockCipher, now: float) -> None:
        self.header = header
        self.newest = 0
        self.heard = now
        self.slots: dict[int, int] = {}
        """Pseudonym of each slot in the table, by index."""


class PseudonymTable:
    """The tags of one gateway by the pseudonyms that they may use now."""

    def __init__(self) -> None:
        self._tags: dict[str, _Known] = {}
        self._owners: dict[int, list[tuple[str, int]]] = {}
        self._searched = float("-inf")

    def add(self, tag: str, header: BlockCipher, now: float) -> None:
        self._tags[tag] = _Known(header, now)
        self._keep(tag, 0, _AHEAD)

    def find(self, pseudonym: int, now: float) -> list[str]:
        """The tags that may be meant (nearly always none or one). Nothing moves until `heard` says that one was."""
        if pseudonym not in self._owners and now - self._searched >= _SEARCH_PAUSE_S:
            self._searched = now
            self._search(now)
        return [tag for tag, _ in self._owners.get(pseudonym, [])]

    def heard(self, tag: str, pseudonym: int, now: float) -> None:
        """A genuine frame of this tag came under this pseudonym: its window moves there."""
        known = self._tags[tag]
        known.heard = now
        for owner, index in self._owners.get(pseudonym, []):
            if owner == tag and index != known.newest:
                known.newest = index
                self._keep(tag, index - 1, index + _AHEAD)
                return

    def _search(self, now: float) -> None:
        for tag, known in self._tags.items():
            silent_s = now - known.heard
            if silent_s > 300:
                self._keep(tag, known.newest - 1, known.newest + _AHEAD + int(silent_s // 300) + _SEARCH)

    def _keep(self, tag: str, first: int, last: int) -> None:
        known = self._tags[tag]
        wanted = range(max(first, 0), last + 1)
        for index in [i for i in known.slots if i not in wanted]:
            self._drop(tag, known.slots.pop(index), index)
        for index in wanted:
            if index not in known.slots:
                pseudonym = Slot(known.header, index).pseudonym
                known.slots[index] = pseudonym
                self._owners.setdefault(pseudonym, []).append((tag, index))

    def _drop(self, tag: str, pseudonym: int, index: int) -> None:
        owners = self._owners[pseudonym]
        owners.remove((tag, index))
        if not owners:
            del self._owners[pseudonym]
