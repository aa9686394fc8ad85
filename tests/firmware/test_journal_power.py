"""Power goes in every single operation of the journal's flash, and leaves what flash leaves: nothing is lost, nothing is invented."""

import itertools
from random import Random

import pytest

from firmware.journal_life import Life, cut, small, steps
from flash import Flash, PowerGoneError
from strapline_wire import frames

TORN = (("none", 0), ("all", 0), ("part", 1), ("part", 2), ("part", 3))


def check_all_cuts(life, step, after):
    """Of one step; then the tag lives on."""
    cuts = 0
    for number in itertools.count():
        for torn, seed in TORN:
            left = cut(life, step, number, torn, seed)
            if left is None:
                return cuts
            cuts += 1
            check_starts(left, seed, after if torn != "part" or number % 3 == seed - 1 else ())
    return cuts


def check_starts(left, seed, after):
    """Power may go while it starts as well, at each operation of that."""
    for number in itertools.count():
        again = Life.__new__(Life)
        again.__dict__ |= vars(left) | {"flash": left.flash.copy()}
        again.flash.cut_at, again.flash.torn, again.flash.seed = number, ("none", "part", "all")[seed % 3], seed
        try:
            again.start()
        except PowerGoneError:
            again.flash = again.flash.copy()
            again.start()
            again.check(exact=False)
            continue
        break
    again.flash.cut_at = None
    again.promised, again.receipted, again.texts = dict(again.promised), set(again.receipted), dict(again.texts)
    again.check(exact=False)
    live_on(again, after)


def live_on(life, after):
    # What was brought back by the cut is receipted again, so the books balance from here on as before.
    possible, here = life.possible, set()
    for slot in life.journal.pending(len(life.journal)):
        (kind, _, _, sequence), body = life.journal.record(slot)
        here.add(sequence)
        life.promised.setdefault(sequence, (kind, body))
    life.possible = []
    assert len(possible) <= 1
    life.receipted -= here
    for step in after:
        life.do(step)
    life.check()


@pytest.mark.parametrize("seed", range(8))
def test_every_cut_of_a_long_course_on_a_small_ring(seed):
    random = Random(seed)
    life = Life(small(blocks=3 + seed % 3, slots=8 + seed % 5), reserve=seed % 3)
    life.start()
    cuts = 0
    for step in steps(random, 250, letters=("fffea", "ffffffe", "eafff", "ffea")[seed % 4]):
        cuts += check_all_cuts(life, step, steps(random, 6))
        life.do(step)
        life.check()
        if random.random() < 0.03:
            life.start()
            life.receipted -= {life.journal.sequence(slot) for slot in life.journal.pending(10**6)}
    assert cuts > 500
    assert sum(kind == frames.TOMBSTONE for kind, _ in life.promised.values()) > 0


@pytest.mark.parametrize("seed", range(2))
def test_sampled_cuts_on_the_ring_of_a_board(seed):
    random = Random(seed)
    life = Life(Flash(), reserve=32)
    life.start()
    course = [step for step in steps(random, 2900, letters="ffffffffe") if step[0] != "receipt"]
    sampled = set(random.sample(range(len(course)), 12))
    merged = 0
    for number, step in enumerate(course):
        twin = life.copy() if number in sampled or life.journal._room() < 35 else None
        before = life.flash.operations
        life.do(step)
        operations = life.flash.operations - before
        if twin is not None and (number in sampled or operations > 20):
            merged += operations > 20
            for cut_at in {0, operations - 1, operations - 2, *random.sample(range(operations), min(operations, 8))}:
                torn, torn_seed = random.choice(TORN)
                left = cut(twin, step, cut_at, torn, torn_seed)
                if left is not None:
                    check_starts(left, torn_seed, steps(random, 30))
    life.check()
    assert merged > 3
