"""Whose pseudonym is this? A table of the slots around each tag's present one, so that an answer costs one look-up."""

from collections import deque
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from strapline_wire.keys import Slot

_AHEAD = 2
"""Slots kept ready after the newest one heard: at least ten minutes of silence."""

_SILENT_S = 30.0
"""Three of the longest pauses between heartbeats: what is silent for longer may be elsewhere by now, and a search includes it."""

_SLOT_SHORTEST_S = 300.0

_SKIPPED = 192
"""Slots that a search adds to what silence explains: a reboot skips up to 64, and a few may come in a row."""

_EXPLAINED = 4096
"""The most slots that are kept for one silent tag: two weeks and more. What is further on is swept past."""

_FORMER = 15
"""An hour of the shortest slots, and some."""

_SEARCH_PAUSE_S = 60.0
"""Strangers may advertise anything; this is how often they can make us search."""

_BESIDE_PAUSE_S = 600.0
_BESIDE_SLOTS = 2048
"""So often, while unknown pseudonyms are heard, some tags are searched for that are heard as well: a second device is not silent."""

_SEARCH_SLOTS = 8192
"""Slots that one search may compute over all tags: some 20 ms, whatever strangers advertise and however many tags are away."""

_SWEEP_END = 1 << 17
"""Slots after which a sweep goes on from the first one: more than a tag enters in a year, unless it was made anew."""


Owner = TypeVar("Owner", bound=Hashable)


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
        self.kept = range(0)
        """The slots around and after the newest one: they stay in the table until the tag is heard."""
        self.swept = range(0)
        """Slots far ahead that are in the table until the next search."""
        self.former = range(0)
        """Where it was before its slot last jumped: a tag that has started again never comes there, one of two devices does."""

    def explained(self, now: float) -> int:
        """The last slot that the tag can have entered since it was heard, if it was never off."""
        return self.newest + _AHEAD + min(int((now - self.heard) // _SLOT_SHORTEST_S), _EXPLAINED)


class PseudonymTable(Generic[Owner]):
    """The tags of one gateway by the pseudonyms that they may use now; a tag is whatever the caller knows it by."""

    def __init__(self) -> None:
        self._tags: dict[Owner, _Known] = {}
        self._owners: dict[int, list[tuple[Owner, int]]] = {}
        self._searched = float("-inf")
        self._beside = 0.0
        self._rota: deque[Owner] = deque()
        """Who is searched for first, next time."""

    def add(self, tag: Owner, header: BlockCipher, now: float) -> None:
        if not self._tags:
            self._beside = now
        self._tags[tag] = _Known(header, now)
        self._rota.append(tag)
        self.resume(tag, 0)

    def resume(self, tag: Owner, slot: int) -> None:
        """The tag's newest slot is known, from before a restart."""
        known = self._tags[tag]
        known.newest = slot
        known.swept = range(0)
        known.kept = range(max(slot - 1, 0), slot + _AHEAD + 1)
        self._settle(tag, known)

    def forget(self, tag: Owner) -> None:
        """Nothing under this name any more; it need not be known."""
        if (known := self._tags.pop(tag, None)) is not None:
            self._rota.remove(tag)
            for index, pseudonym in known.slots.items():
                self._drop(tag, pseudonym, index)

    def newest(self, tag: Owner) -> int:
        """The newest slot under which the tag was heard."""
        return self._tags[tag].newest

    def find(self, pseudonym: int, now: float) -> list[Owner]:
        """The tags that may be meant (nearly always none or one). Nothing moves until `heard` says that one was."""
        owners = self._owners.get(pseudonym)
        if owners is None and now - self._searched >= _SEARCH_PAUSE_S:
            before, self._searched = self._searched, now
            if self._search(pseudonym, now):
                self._searched = before  # what silence explains was enough: nobody has made us search in vain
            owners = self._owners.get(pseudonym)
        if owners is None:
            return []
        return [owners[0][0]] if len(owners) == 1 else [tag for tag, _ in owners]

    def heard(self, tag: Owner, pseudonym: int, now: float) -> bool:
        """A genuine frame of this tag came under this pseudonym: its window moves there. True where that is another slot.

        The slot just before may still come after a later one; anything further back is a tag that was made anew.
        """
        known = self._tags[tag]
        known.heard = now
        if known.slots.get(known.newest) == pseudonym:
            return False
        for owner, index in self._owners.get(pseudonym, []):
            if owner == tag and index not in (known.newest - 1, known.newest):
                if index not in known.former and index - known.newest > _AHEAD:
                    known.former = range(known.newest, known.newest + _FORMER)
                self.resume(tag, index)
                return True
        return False

    def _search(self, pseudonym: int, now: float) -> bool:
        """First what silence explains, then some reboots for everyone, then ever further on: a new gateway, or a long absence.

        Gives whether the first was enough.
        """
        left = _SEARCH_SLOTS
        silent = [tag for tag in self._rota if now - self._tags[tag].heard > _SILENT_S]
        for skipped in (0, _SKIPPED):
            for tag in silent:
                known = self._tags[tag]
                more = min(known.explained(now) + skipped + 1 - known.kept.stop, left)
                if more > 0:
                    known.kept = range(known.kept.start, known.kept.stop + more)
                    self._settle(tag, known)
                    left -= more
                if not left:
                    self._begin_with(tag)
                    return False
            if not skipped and pseudonym in self._owners:
                return True
        if now - self._beside >= _BESIDE_PAUSE_S:
            self._beside = now
            left -= self._look_beside(min(left, _BESIDE_SLOTS))
        self._sweep(silent, left)
        return False

    def _look_beside(self, room: int) -> int:
        """Tags that are heard: whoever else has their keys may be a reboot ahead of them. Gives the slots that this took."""
        taken = 0
        for tag in list(self._rota)[: room // _SKIPPED]:
            known = self._tags[tag]
            more = known.newest + _SKIPPED - known.kept.stop
            if more > 0:
                known.kept = range(known.kept.start, known.kept.stop + more)
                self._settle(tag, known)
                taken += more
            self._rota.rotate(-1)
        return taken

    def _sweep(self, silent: list[Owner], left: int) -> None:
        share = max(left // max(len(silent), 1), _SKIPPED)
        for tag in silent:
            if left < share:
                self._begin_with(tag)
                return
            known = self._tags[tag]
            first = known.swept.stop or known.kept.stop
            if first > known.newest + _SWEEP_END:
                first = 0
            if first in known.kept:
                first = known.kept.stop
            known.swept = range(first, first + share)
            self._settle(tag, known)
            left -= share

    def _begin_with(self, tag: Owner) -> None:
        self._rota.rotate(-self._rota.index(tag))

    def _settle(self, tag: Owner, known: _Known) -> None:
        """Make the table hold what is kept and swept, and nothing else."""
        for index in [i for i in known.slots if not (i in known.kept or i in known.swept or i in known.former)]:
            self._drop(tag, known.slots.pop(index), index)
        for wanted in (known.kept, known.swept, known.former):
            for index in wanted:
                if index not in known.slots:
                    pseudonym = Slot(known.header, index).pseudonym
                    known.slots[index] = pseudonym
                    self._owners.setdefault(pseudonym, []).append((tag, index))

    def _drop(self, tag: Owner, pseudonym: int, index: int) -> None:
        owners = self._owners[pseudonym]
        owners.remove((tag, index))
        if not owners:
            del self._owners[pseudonym]
