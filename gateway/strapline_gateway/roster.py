"""The tags of one gateway: their keys, and whose pseudonym is which."""

from collections.abc import Mapping

from strapline_gateway.enrolment import Enrolled, Keyset
from strapline_gateway.pseudonyms import PseudonymTable
from strapline_protocol.keys import GatewayKeys

_EXPECTED = 2
"""Generations of a tag's keys that are expected at once: one that it has been given elsewhere, and the one after."""


class Roster:
    """Who is enrolled. Looking somebody up costs the same with ten tags and with ten thousand."""

    def __init__(self) -> None:
        self.tags: dict[str, Enrolled] = {}
        self.pseudonyms: PseudonymTable[Keyset] = PseudonymTable()
        self._slots: dict[str, int] = {}

    def enrol(self, keys: GatewayKeys, now: float, generation: int = 0) -> Enrolled | None:
        """Take a tag in; None where it is here under these keys already."""
        if keys.tag in self.tags:
            if self.tags[keys.tag].keys.is_of(keys):
                return None
            self.withdraw(keys.tag)
        enrolled = self.tags[keys.tag] = Enrolled(keys, generation)
        self.pseudonyms.add(enrolled.keys, enrolled.keys.header, now)
        return enrolled

    def withdraw(self, tag: str) -> Enrolled | None:
        """It is no tag of ours any more, under any keys; None where it was none."""
        enrolled = self.tags.get(tag)
        if enrolled is None:
            return None
        for generation in list(enrolled.next_keys):
            self._drop(tag, generation)
        enrolled.keys.ended = True
        self.pseudonyms.forget(enrolled.keys)
        self._slots.pop(tag, None)
        return self.tags.pop(tag)

    # Keys that change.

    def expect(self, keys: GatewayKeys, generation: int, now: float) -> bool:
        """As `Station.expect_keys`, for a tag that is enrolled."""
        enrolled = self.tags[keys.tag]
        if generation <= enrolled.keys.generation:
            return generation == enrolled.keys.generation and enrolled.keys.is_of(keys)
        held = enrolled.next_keys.get(generation)
        if held is None or not held.is_of(keys):
            self._drop(keys.tag, generation)
            held = enrolled.next_keys[generation] = Keyset(enrolled, keys, generation)
            self.pseudonyms.add(held, held.header, now)
            self.pseudonyms.resume(held, self.pseudonyms.newest(enrolled.keys))
            for earlier in sorted(enrolled.next_keys)[:-_EXPECTED]:
                self._drop(keys.tag, earlier)
        return generation in enrolled.next_keys

    def renew(self, enrolled: Enrolled, keys: Keyset) -> bool:
        """A genuine frame came under these keys: those of earlier generations are over. True where that ended some."""
        if keys is enrolled.keys or enrolled.next_keys.get(keys.generation) is not keys:
            return False
        enrolled.keys.ended = True
        self.pseudonyms.forget(enrolled.keys)
        enrolled.keys = enrolled.next_keys.pop(keys.generation)
        for earlier in [generation for generation in enrolled.next_keys if generation < keys.generation]:
            self._drop(enrolled.tag, earlier)
        return True

    def _drop(self, tag: str, generation: int) -> None:
        dropped = self.tags[tag].next_keys.pop(generation, None)
        if dropped is not None:
            dropped.ended = True
            self.pseudonyms.forget(dropped)

    # Slots.

    def moved(self, enrolled: Enrolled) -> None:
        """A genuine frame of this tag came under the pseudonym of another slot."""
        self._slots[enrolled.tag] = self.pseudonyms.newest(enrolled.keys)

    def resume(self, slots: Mapping[str, int]) -> None:
        """As `Station.resume`."""
        for tag in self.tags.keys() & slots.keys():
            self.pseudonyms.resume(self.tags[tag].keys, slots[tag])

    def take_slots(self) -> dict[str, int]:
        """As `Station.take_slots`."""
        slots, self._slots = self._slots, {}
        return slots
