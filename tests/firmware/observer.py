"""A passive observer: it hears when, under which address and with which bytes tags advertise, and tries to link one pseudonym to the next.

It knows how the firmware works, and no key. What it is good for is said by hit rates: for each change of pseudonym it must find, among the
first advertisements under new pseudonyms, the one of the tag whose last ones under the old it has heard.
"""

import hashlib
import itertools
import math
from bisect import bisect_left, bisect_right
from random import Random
from typing import NamedTuple

from flash import Flash
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs
from strapline_tag.config import Config
from strapline_tag.tag import Tag
from strapline_wire import frames

WORN_OHM = 1000
DAY_MS = 86_400_000


class Heard(NamedTuple):
    """One advertisement; `at` in ms on the observer's clock."""

    at: int
    address: bytes
    frame: bytes

    @property
    def pseudonym(self):
        return self.frame[1:5]


class Memory(dict):
    def put(self, name, value):
        self[name] = value

    def read(self, name):
        return self.get(name, b"")

    write = put


class Wearer:
    """The firmware on a clock of its own, and one way of life. `secret` and all that is random follow from `name`.

    quiet: everything is receipted. pending: nothing ever is. alarm: a strap that was opened, and no receipt. busy: armed, its skin sensor
    comes and goes, and each record is receipted in half a minute. rebooting: power goes every hour or so.
    """

    def __init__(self, name, state, make_cipher=HostCipher, config=None):
        self.state = state
        self._dice = Random(f"{name}/life")
        self._secret = hashlib.sha256(name.encode()).digest()[:16]
        self._draw = Random(f"{name}/entropy").randbytes
        self._make_cipher = make_cipher
        self._config = Config({"home_silence_s": 10**7, **(config or {})})
        self._memory = Memory()
        if state in ("alarm", "busy"):
            self._memory["armed_ohm"] = WORN_OHM
        self.booted_ms = self._dice.randrange(3_600_000)
        self.heard = []
        self._calls = []
        self._boot()

    def _boot(self):
        self.tag = Tag(self._secret, self._memory, self._draw, self._make_cipher, Flash(), self._config)
        self._calls = [(20_000, self._receipt)]
        if self.state == "alarm":
            self._calls = [(30_000, lambda now: self.tag.feed_strap_edge(now, True))]
        elif self.state == "pending":
            self._calls = []
        elif self.state == "busy":
            self._skin = None
            self._calls.append((0, self._sample))
        elif self.state == "rebooting":
            self._calls.append((self._dice.randrange(1_800_000, 5_400_000), self._reboot))

    def _receipt(self, _now):
        journal = self.tag.journal
        journal.receipt(frames.Receipt((journal.ident, journal.newest + 1, 0)))

    def _sample(self, now):
        """Every 10 s, as the sampler does; worn and off by turns, so that an event comes every quarter of an hour or so."""
        if self._skin is None or now >= self._skin[1]:
            on = self._skin is None or not self._skin[0]
            self._skin = on, now + self._dice.randrange(700_000, 1_500_000)
        before = self.tag.journal.newest
        self.tag.feed_skin(now, 3300 if self._skin[0] else 2200, 2200)
        if self.tag.journal.newest != before:
            self._calls.append((now + 30_000, self._receipt))
        self._calls.append((now + 10_000, self._sample))

    def _reboot(self, now):
        self.booted_ms += now + 5000
        self._boot()

    def live(self, until_ms):
        """Up to this moment of the observer's clock; what was advertised is in `heard`."""
        while True:
            now = min([self.tag.next_deadline(), *(at for at, _ in self._calls)])
            if self.booted_ms + now > until_ms:
                return self
            booted_ms = self.booted_ms
            for call in [call for call in self._calls if call[0] <= now]:
                self._calls.remove(call)
                call[1](now)
            if self.booted_ms != booted_ms:
                continue  # it has started again
            if self.tag.next_deadline() <= now:
                self.tag.handle_timer(now)
            for kind, *fields in self.tag.take_outputs():
                if kind == outputs.ADVERTISE:
                    self.heard.append(Heard(booted_ms + now, *fields))

    def slots(self):
        """What was heard, by pseudonym, in order. The first and the last may be cut short."""
        return [list(group) for _, group in itertools.groupby(self.heard, lambda heard: heard.pseudonym)]


def rotations(wearer):
    """(slot before, slot after) at each change of pseudonym while it ran, both heard from end to end."""
    slots = wearer.slots()[1:-1]
    return [(one, two) for one, two in itertools.pairwise(slots) if len(one) > 3 and len(two) > 3]


# Features: how alike a slot and one that may follow it are, by one thing that the observer sees. The higher the likelier.


def _gaps(slot):
    return [b.at - a.at for a, b in itertools.pairwise(slot)]


def _mean(values):
    return sum(values) / len(values)


def _spread(values):
    middle = _mean(values)
    return math.sqrt(_mean([(value - middle) ** 2 for value in values]))


def _off(difference, period):
    """How far a difference is from a multiple of the period."""
    return min(difference % period, -difference % period)


def _mean_phase(slot, period):
    """(phase, how sharp) of a slot's heartbeats as a whole."""
    angles = [2 * math.pi * (heard.at % period) / period for heard in slot]
    x, y = _mean([math.cos(a) for a in angles]), _mean([math.sin(a) for a in angles])
    return math.atan2(y, x) * period / (2 * math.pi)


def _alike(measure):
    """A feature out of a figure for a slot: the nearer the likelier. Each slot is measured once."""

    def prepare(before, after):
        return [measure(slot) for slot in before], [measure(slot) for slot in after]

    return prepare, lambda one, two: -abs(one - two)


def _in_phase(measure, period):
    def prepare(before, after):
        return [measure[0](slot) for slot in before], [measure[1](slot) for slot in after]

    return prepare, lambda one, two: -_off(one - two, period)


def _timing():
    features = {
        "mean interval": _alike(lambda slot: _mean(_gaps(slot))),
        "spread of intervals": _alike(lambda slot: _spread(_gaps(slot))),
        "shortest interval": _alike(lambda slot: min(_gaps(slot))),
        "longest interval": _alike(lambda slot: max(_gaps(slot))),
        "median interval": _alike(lambda slot: sorted(_gaps(slot))[len(slot) // 2 - 1]),
        "number of heartbeats": _alike(len),
        "length of the slot": _alike(lambda slot: slot[-1].at - slot[0].at),
        "intervals at the ends": (
            lambda before, after: ([_gaps(slot)[-1] for slot in before], [_gaps(slot)[0] for slot in after]),
            lambda one, two: -abs(one - two),
        ),
        "the rhythm goes on": (
            lambda before, after: (
                [(slot[-1].at, max(1, sorted(_gaps(slot))[len(slot) // 2 - 1])) for slot in before],
                [slot[0].at for slot in after],
            ),
            lambda one, two: -_off(two - one[0], one[1]),
        ),
    }
    last_first = (lambda slot: slot[-1].at, lambda slot: slot[0].at)
    for period in (100, 1000, 4000):
        features[f"last and first, phase in {period} ms"] = _in_phase(last_first, period)
        phase = [lambda slot, period=period: _mean_phase(slot, period)] * 2
        features[f"whole slots, phase in {period} ms"] = _in_phase(phase, period)
    first_first = (lambda slot: slot[0].at, lambda slot: slot[0].at)
    for period in (1000, 60_000):
        features[f"beginnings, phase in {period} ms"] = _in_phase(first_first, period)
    return features


def _content():
    """Of the last frame before and the first one after. Numbers near each other, and bits that agree."""
    features = {"length": _alike(lambda slot: len(slot[0].frame))}

    def near(name, start, size):
        features[f"{name} near"] = (
            lambda before, after: (
                [int.from_bytes(slot[-1].frame[start : start + size], "big") for slot in before],
                [int.from_bytes(slot[0].frame[start : start + size], "big") for slot in after],
            ),
            lambda one, two: -abs(one - two),
        )

    def few_bits(name, start, size):
        features[f"{name}, bits in common"] = (
            features[f"{name} near"][0],
            lambda one, two: -(one ^ two).bit_count(),
        )

    for name, start, size in (("pseudonym", 1, 4), ("counter", 5, 4), ("body", 9, 7), ("MIC", 16, 8), ("all", 0, 24)):
        near(name, start, size)
        few_bits(name, start, size)
    for at in range(24):
        near(f"byte {at}", at, 1)
    for at in range(23):
        near(f"bytes {at} and {at + 1}", at, 2)
    return features


TIMING = _timing()
FEATURES = {**TIMING, **_content()}


def credit(scores, own):
    """What an observer that takes the likeliest wins: 1, or its share where several are equally likely."""
    best = max(scores)
    return 1 / scores.count(best) if scores[own] == best else 0


def games(wearers):
    """The r-th change of every tag at once: (slots before, slots after), shuffled by nobody because nothing depends on the order."""
    return [tuple(zip(*rounds, strict=True)) for rounds in zip(*map(rotations, wearers), strict=False)]


def voted_hit_rate(wearers):
    """The same by all of the rhythm together: each feature ranks the candidates, and the ranks are added up."""
    won = played = 0
    for before, after in games(wearers):
        votes = [[0.0] * len(after) for _ in before]
        for prepare, score in TIMING.values():
            ones, twos = prepare(before, after)
            for one, vote in zip(ones, votes, strict=True):
                scores = [score(one, two) for two in twos]
                ranks = sorted(scores)
                for candidate, value in enumerate(scores):
                    vote[candidate] += bisect_left(ranks, value) + bisect_right(ranks, value)
        won += sum(credit(vote, own) for own, vote in enumerate(votes))
        played += len(before)
    return won / played, played


def hit_rates(wearers, features=None):
    """{feature: share of changes that are linked by it}, and the number of changes."""
    rounds = games(wearers)
    rates = {}
    for name, (prepare, score) in (features or FEATURES).items():
        won = 0.0
        for before, after in rounds:
            ones, twos = prepare(before, after)
            won += sum(credit([score(one, two) for two in twos], own) for own, one in enumerate(ones))
        rates[name] = won / (len(rounds) * len(wearers))
    return rates, len(rounds) * len(wearers)


def bit_hit_rates(wearers):
    """The same for each bit of address and frame: one that stays as it was is taken for a link."""
    rounds = games(wearers)
    won = [0.0] * (30 * 8)
    for before, after in rounds:
        ends = [int.from_bytes(slot[-1].address + slot[-1].frame, "big") for slot in before]
        starts = [int.from_bytes(slot[0].address + slot[0].frame, "big") for slot in after]
        for own, end in enumerate(ends):
            differing = [end ^ start for start in starts]
            for bit in range(len(won)):
                agree = [difference >> bit & 1 == 0 for difference in differing]
                won[bit] += credit(agree, own)
    return [share / (len(rounds) * len(wearers)) for share in won]


def bound(chance, trials, deviations=4.5):
    """How far from chance a hit rate may lie by chance: a credit lies between 0 and 1, so its variance is at most a coin's."""
    return deviations * math.sqrt(chance * (1 - chance) / trials)


# Succession in time: one pseudonym ends, another begins soon after. No feature is needed for it.


def succession(wearers, silence_s=0.0, seed=1):
    """The share of ends for which the likeliest beginning is the right one, by the pause between them alone.

    `silence_s`: what if each tag said nothing for up to so long, drawn anew, after each change.
    """
    dice = Random(seed)
    ends, begins = [], []
    for owner, wearer in enumerate(wearers):
        for one, two in rotations(wearer):
            silent_until = one[-1].at + dice.random() * silence_s * 1000
            first = next((heard.at for heard in two if heard.at >= silent_until), two[-1].at)
            ends.append((one[-1].at, owner, first))
            begins.append(first)
    begins.sort()
    likelihood = _density([first - end for end, _, first in ends])
    won = 0.0
    for end, _, first in ends:
        nearby = begins[bisect_left(begins, end) : bisect_right(begins, end + likelihood.longest)]
        scores = [likelihood.of(begin - end) for begin in nearby]
        won += credit(scores, nearby.index(first))
    return won / len(ends)


class _density:  # noqa: N801 - a function with a memory
    """How often each pause comes, in steps of half a second: the observer may have learnt it from a tag of its own."""

    def __init__(self, pauses):
        self.longest = max(pauses)
        self._counts = {}
        for pause in pauses:
            self._counts[pause // 500] = self._counts.get(pause // 500, 0) + 1

    def of(self, pause):
        return self._counts.get(pause // 500, 0)


# Events: quick heartbeats begin within a second of what they tell of, and sensors are sampled every 10 s since the tag's start.


def event_times(wearer):
    """The first of each run of quick heartbeats, as far as their rhythm shows it."""
    gaps = _gaps(wearer.heard)
    quick = [gap < 1500 for gap in gaps]
    return [
        wearer.heard[at].at
        for at in range(1, len(quick) - 3)
        if quick[at] and quick[at + 1] and quick[at + 2] and not quick[at - 1]
    ]


def event_hit_rate(wearers, period):
    """How often the next event of a tag is found among everyone's by the phase of the one before."""
    times = [event_times(wearer) for wearer in wearers]
    won = games_played = 0
    for before, after in itertools.pairwise(zip(*times, strict=False)):
        for own, one in enumerate(before):
            won += credit([-_off(one - two, period) for two in after], own)
            games_played += 1
    return won / games_played, games_played
