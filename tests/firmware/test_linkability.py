"""R43: what a passive observer of the advertisements can link over a change of pseudonym, and what not. See docs/security.md.

The observer plays for every change of every tag, by one feature at a time (see observer.py). Its hit rate must lie within 4.5 standard
deviations of chance; all that is random follows from names, so a run is the same each time. The same observer links tags that are
crippled in one thing, which shows that it could have found it.
"""

import itertools

import pytest

from firmware.observer import (
    DAY_MS,
    FEATURES,
    Wearer,
    bit_hit_rates,
    bound,
    event_hit_rate,
    event_times,
    hit_rates,
    rotations,
    succession,
    voted_hit_rate,
)
from firmware.tag_pair import TagPair
from strapline_protocol.cipher import HostCipher
from strapline_tag import broadcast
from strapline_tag.broadcast import Broadcast
from strapline_wire import seal

HOUR_MS = 3_600_000
CROWDS = {
    "quiet": (20, DAY_MS),
    "pending": (10, DAY_MS),
    "busy": (10, DAY_MS),
    "rebooting": (10, DAY_MS),
    "alarm": (10, DAY_MS // 3),
}
"""How many tags of each way of life the observer hears, and for how long."""


def crowd(state, count, until_ms, **options):
    return [Wearer(f"{state} {number}", state, **options).live(until_ms) for number in range(count)]


@pytest.fixture(scope="module")
def crowds():
    """Each crowd, lived once for all tests that hear it."""
    lived = {}

    def of(state):
        if state not in lived:
            lived[state] = crowd(state, *CROWDS[state])
        return lived[state]

    return of


# What does not link.


@pytest.mark.parametrize("state", CROWDS)
def test_no_feature_of_rhythm_or_content_links_a_pseudonym_to_the_next(crowds, state):
    wearers = crowds(state)
    chance = 1 / len(wearers)
    rates, games = hit_rates(wearers)
    assert games >= 400
    assert {name: rate for name, rate in rates.items() if abs(rate - chance) > bound(chance, games)} == {}


@pytest.mark.parametrize("state", CROWDS)
def test_nor_does_all_of_the_rhythm_together(crowds, state):
    wearers = crowds(state)
    rate, games = voted_hit_rate(wearers)
    assert abs(rate - 1 / len(wearers)) < bound(1 / len(wearers), games)


@pytest.mark.parametrize("state", CROWDS)
def test_no_bit_of_address_or_frame_links_a_pseudonym_to_the_next(crowds, state):
    wearers = crowds(state)
    chance = 1 / len(wearers)
    games = sum(len(rotations(wearer)) for wearer in wearers)
    rates = bit_hit_rates(wearers)
    assert len(rates) == 240
    assert all(abs(rate - chance) < bound(chance, games) for rate in rates)


@pytest.mark.parametrize("state", CROWDS)
def test_address_and_pseudonym_change_in_the_same_advertisement_and_never_come_back(crowds, state):
    everyone = []
    for wearer in crowds(state):
        for one, two in itertools.pairwise(wearer.heard):
            assert (one.address != two.address) == (one.pseudonym != two.pseudonym)
        everyone += [(slot[0].address, slot[0].pseudonym) for slot in wearer.slots()]
    assert len({address for address, _ in everyone}) == len(everyone)
    assert len({pseudonym for _, pseudonym in everyone}) == len(everyone) > 400


@pytest.mark.parametrize("state", CROWDS)
def test_a_pseudonym_holds_for_5_to_15_min(crowds, state):
    """It is heard a little later than it begins: by 5 s at most."""
    held = [two[0].at - one[0].at for wearer in crowds(state) for one, two in rotations(wearer) if state != "rebooting"]
    heard = [slot[-1].at - slot[0].at for wearer in crowds(state) for slot in wearer.slots()]
    assert max(heard) <= 900_000
    if held:
        assert 295_000 <= min(held) < 310_000
        assert 890_000 < max(held) <= 905_000


@pytest.mark.parametrize("state", ["quiet", "pending", "rebooting"])
def test_the_pause_at_a_change_is_no_longer_than_any_other(crowds, state):
    """R17: a gateway that counts heartbeats sees no difference."""
    pauses = [two[0].at - one[-1].at for wearer in crowds(state) for one, two in rotations(wearer)]
    if state == "rebooting":
        pauses = [pause for pause in pauses if pause < 10_000]  # the others are those without power
    assert min(pauses) >= 1000
    assert max(pauses) <= 10_000


# That the observer could have found it: tags that are crippled in one thing.


class Unsealed(HostCipher):
    """A cipher that forgets to encrypt."""

    def __init__(self, key):
        super().__init__(key)
        plain = self.seal
        self.seal = lambda nonce, plaintext, associated: plaintext + plain(nonce, plaintext, associated)[-8:]


def unmasked_counter(monkeypatch):
    monkeypatch.setattr(seal, "_first", lambda *_where: (0,))  # what is read off the mask's block
    return "quiet", {}


def unsealed_body(_monkeypatch):
    return "quiet", {"make_cipher": Unsealed}


def fixed_interval(monkeypatch):
    rhythm_goes_on(monkeypatch)
    return "quiet", {"config": {"heartbeat_shortest_ms": 5003, "heartbeat_longest_ms": 5003}}


def alarm_each_second(monkeypatch):
    rhythm_goes_on(monkeypatch)
    monkeypatch.setattr(Broadcast, "_quick_interval", lambda self: self._config.quick_spacing_ms)
    return "alarm", {}


def rhythm_goes_on(monkeypatch):
    monkeypatch.setattr(Broadcast, "_break_rhythm", lambda _self, _now: None)


def rhythm_of_its_own(monkeypatch):
    drawn = {}

    def interval(self):
        return drawn.setdefault(id(self), 2000 + 500 * len(drawn)) + self._draw(1000)

    monkeypatch.setattr(Broadcast, "_interval", interval)
    return "quiet", {}


CRIPPLED = [
    (unmasked_counter, "counter near"),
    (unsealed_body, "bytes 13 and 14 near"),  # the uptime
    (fixed_interval, "the rhythm goes on"),
    (alarm_each_second, "the rhythm goes on"),
    (alarm_each_second, "whole slots, phase in 1000 ms"),
    (rhythm_of_its_own, "mean interval"),
]


@pytest.mark.parametrize(("cripple", "feature"), CRIPPLED, ids=[f"{c.__name__}: {f}" for c, f in CRIPPLED])
def test_the_same_observer_links_a_crippled_tag(monkeypatch, cripple, feature):
    state, options = cripple(monkeypatch)
    rates, games = hit_rates(crowd(state, 8, 6 * HOUR_MS, **options), {feature: FEATURES[feature]})
    assert games > 200
    assert rates[feature] > 0.85


def test_the_vote_of_all_features_links_a_crippled_tag(monkeypatch):
    state, options = alarm_each_second(monkeypatch)
    rate, _ = voted_hit_rate(crowd(state, 8, 6 * HOUR_MS, **options))
    assert rate > 0.6  # most of the features know nothing, and vote too


def test_the_same_observer_links_bits_that_stay(monkeypatch):
    whole = broadcast.Slot

    def with_an_address_that_tells(header, index):
        slot = whole(header, index)
        tells = whole(header, 0).address
        slot.address = slot.address[:3] + tells[3:]
        return slot

    monkeypatch.setattr(broadcast, "Slot", with_an_address_that_tells)
    rates = bit_hit_rates(crowd("quiet", 8, 6 * HOUR_MS))
    address = rates[192:]
    assert max(address[:24]) > 1.3 / 8
    assert max(address[24:]) < 1.3 / 8


# What does link. These figures stand in docs/security.md; a tag alone cannot hide them.


def test_one_pseudonym_ends_and_another_begins(crowds):
    """By the pause alone: a lone tag is followed always, and twenty of them nearly always."""
    wearers = crowds("quiet")
    rates = [succession(wearers[:count]) for count in (1, 2, 10, 20)]
    assert rates[0] == 1
    assert rates[1] > 0.97
    assert 0.94 < rates[2] < 0.98
    assert 0.88 < rates[3] < 0.94


def test_what_a_silence_of_up_to_half_a_minute_or_a_minute_would_buy(crowds):
    wearers = crowds("quiet")
    half, whole = ([succession(wearers[:count], silence_s) for count in (1, 2, 20)] for silence_s in (30, 60))
    assert half[0] == whole[0] == 1
    assert half[1] > 0.95
    assert whole[1] > 0.93
    assert 0.6 < half[2] < 0.72
    assert 0.42 < whole[2] < 0.55


def test_an_alarm_without_a_receipt_shows_by_its_rhythm(crowds):
    """Among tags that have none it is known at every change; which of several such tags it is, is not."""
    wearers = [crowds("alarm")[0], *crowds("quiet")[:9]]
    cut = [Wearer.__new__(Wearer) for _ in wearers]
    for short, wearer in zip(cut, wearers, strict=True):
        short.heard = [heard for heard in wearer.heard if heard.at < DAY_MS // 3]
    rates, _ = hit_rates(cut, {"mean interval": FEATURES["mean interval"]})
    # One tenth of the changes are linked for sure, the other nine by chance among nine.
    assert rates["mean interval"] == pytest.approx(0.1 + 0.9 / 9, abs=0.04)


def test_events_show_the_phase_in_which_a_sensor_is_sampled(crowds):
    """Quick heartbeats begin within a second of a sample, and those come every 10 s since the start."""
    wearers = crowds("busy")
    assert all(len(event_times(wearer)) > 50 for wearer in wearers)
    rate, games = event_hit_rate(wearers, 10_000)
    assert rate > 0.3
    second, games = event_hit_rate(wearers, 1000)
    assert abs(second - 0.1) < bound(0.1, games)


@pytest.mark.parametrize("before_ms", [0, 1, 99, 100, 350, 999, 1000, 1001, 3000, 9000, 12_000])
@pytest.mark.parametrize("after", [False, True])
def test_a_burst_never_waits_for_a_change_nor_a_change_for_a_burst(before_ms, after):
    """R12. A burst that runs over a change so links the two pseudonyms: one alarm in six hundred."""
    pair = TagPair({"home_silence_s": 100_000})
    pair.arm()
    pair.visit()
    pair.run(20)
    ends = pair.tag._broadcast._slot_ends
    opened_at = ends + before_ms if after else ends - before_ms
    pair.run_to(opened_at)
    pair.advertised.clear()
    pair.edge(is_open=True)
    pair.run(2)
    burst = [heard for heard in pair.heard if heard.at >= opened_at]
    assert [heard.at - opened_at for heard in burst[:11]] == list(range(0, 1001, 100))
    pseudonyms = [heard.pseudonym for heard in burst if heard.at < ends], [h.pseudonym for h in burst if h.at >= ends]
    assert not set(pseudonyms[0]) & set(pseudonyms[1])
