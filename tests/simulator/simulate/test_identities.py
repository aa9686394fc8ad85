"""The simulated tags' keys in a folder."""

import stat

import pytest

from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.simulate.identities import FOR_CENTRE, FOR_GATEWAYS, TAGS, gateways_in, tags_in


def test_tags_are_made_once_and_know_their_earlier_lives(tmp_path):
    folder = tmp_path / "keys"
    first = tags_in(folder, 2)
    more = tags_in(folder, 3)
    assert [one.tag for one in more] == ["7a5a0001", "7a5a0002", "7a5a0003"]
    assert [one.secret for one in more[:2]] == [one.secret for one in first]
    assert [one.lives for one in more] == [1, 1, 0]
    assert more[0].memory["counter"] > first[0].memory["counter"]
    assert [one.lives for one in tags_in(folder, 1, begin=False)] == [2]
    assert [one.lives for one in tags_in(folder, 1)] == [2]


def test_gateways_and_centre_get_their_shares_and_nobody_else_a_look(tmp_path):
    tags = tags_in(tmp_path, 3)
    assert read_gateway_keys(tmp_path / FOR_GATEWAYS) == [gateway_keys(one.tag, one.secret) for one in tags]
    assert read_centre_keys(tmp_path / FOR_CENTRE) == [centre_keys(one.tag, one.secret) for one in tags]
    keys = gateways_in(tmp_path, 2)
    assert keys == gateways_in(tmp_path, 2)
    assert len(set(keys.values())) == 2
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in tmp_path.glob("*.*")} == {0}
    for name in (FOR_GATEWAYS, FOR_CENTRE):
        assert tags[0].secret.hex() not in (tmp_path / name).read_text()
    assert tags[0].secret.hex() not in repr(tags)


@pytest.mark.parametrize("text", ["{", "[]", '{"7a5a0001": {}}', '{"7a5a0001": {"secret": "00", "lives": 1}}'])
def test_a_folder_with_something_else_is_refused_by_name(tmp_path, text):
    path = tmp_path / TAGS
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UserError, match="holds no simulated tags; name another folder"):
        tags_in(tmp_path, 1)
