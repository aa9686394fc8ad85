"""A tag's journal as the centre cannot see it: what was recorded, what a full journal has dropped, and the tombstones for that."""

from hypothesis import strategies as st

from strapline_wire.frames import Tombstone

EVENT, FIX, TOMBSTONE = "event", "fix", "tombstone"


class DroppingTag:
    """Sequences from 1; each drop is counted in one tombstone."""

    def __init__(self):
        self.kinds = {}
        self.dropped = set()
        self.told = {}
        """The tombstones, by their own sequence."""
        self.delivered_before = set()
        """Positions that came to the centre and were dropped all the same: their receipt never came back."""

    def record(self, kind):
        self.kinds[len(self.kinds) + 1] = kind
        return len(self.kinds)

    def drop(self, sequences, *, delivered=()):
        assert sequences
        assert all(self.kinds[s] == FIX for s in sequences)
        assert not self.dropped & set(sequences)
        self.dropped |= set(sequences)
        self.delivered_before |= set(delivered)
        own = self.record(TOMBSTONE)
        self.told[own] = Tombstone((1, 7, min(sequences), max(sequences), len(sequences)))

    @property
    def held(self):
        """What the tag still has, and delivers until it has a receipt."""
        return set(self.kinds) - self.dropped

    @property
    def positions(self):
        return [s for s, kind in self.kinds.items() if kind == FIX and s not in self.dropped]


@st.composite
def dropping_tags(draw, *, delivers_before=True):
    """Journals of up to some 60 records with up to five droppings, whose ranges may overlap."""
    tag = DroppingTag()
    for _ in range(draw(st.integers(1, 5))):
        for is_fix in draw(st.lists(st.booleans(), min_size=1, max_size=10)):
            tag.record(FIX if is_fix else EVENT)
        if tag.positions and draw(st.booleans()):
            chosen = draw(st.sets(st.sampled_from(tag.positions), min_size=1))
            before = draw(st.sets(st.sampled_from(sorted(chosen)))) if delivers_before else set()
            tag.drop(chosen, delivered=before)
    return tag
