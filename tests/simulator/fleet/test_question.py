"""What a fleet is asked, and how it falls into shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.question import (
    DEFAULT_MIX,
    FULL_SHARD_TAG_HOURS,
    Question,
    households,
    parse_mix,
    shards,
)


def question(**changes):
    asked = Question(50, 24.0, 1, "2026-03-02", "Europe/Berlin", DEFAULT_MIX, 0.02, False, "")
    return asked._replace(**changes)


@given(tags=st.integers(1, 400), hours=st.floats(1, 2000), seed=st.integers(0, 5), fold=st.booleans())
def test_each_tag_is_in_one_shard_and_shards_are_bounded(tags, hours, seed, fold):
    asked = question(tags=tags, hours=hours, seed=seed, fold=fold)
    planned = shards(asked)
    homes = [home for shard in planned for home in shard.homes]
    assert [home.number for home in homes] == list(range(len(homes)))
    assert sum(home.tags for home in homes) == tags
    assert [shard.number for shard in planned] == list(range(len(planned)))
    for shard in planned:
        before_last = sum(home.tags for home in shard.homes[:-1]) * hours
        assert fold or before_last < FULL_SHARD_TAG_HOURS


def test_a_larger_fleet_begins_with_the_homes_of_a_smaller_one():
    small, large = list(households(question(tags=30))), list(households(question(tags=300)))
    assert large[: len(small) - 1] == small[:-1]


def test_tags_are_of_the_profiles_in_their_shares():
    counts = dict.fromkeys(DEFAULT_MIX, 0)
    for home in households(question(tags=20000)):
        counts[home.profile] += home.tags
    for name, share in DEFAULT_MIX.items():
        assert counts[name] / 20000 == pytest.approx(share / sum(DEFAULT_MIX.values()), abs=0.025)


def test_a_mix_is_read():
    assert parse_mix("two-piece=3, home-rf=1") == {"home-rf": 1, "two-piece": 3}
    assert parse_mix("facility") == {"facility": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gps=3", "'gps' is no profile"),
        ("home-rf=many", "is no share"),
        ("home-rf=0", "all shares are 0"),
        ("", "no profile"),
    ],
)
def test_a_mistaken_mix_is_told(text, told):
    with pytest.raises(UserError, match=told):
        parse_mix(text)
