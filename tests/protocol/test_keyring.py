"""Key files: what they hold, who may reach them, and that a file is replaced whole or not at all."""

import errno
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strapline_protocol import keyring
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import locked, read_centre_keys, read_gateway_keys, successor
from strapline_protocol.keys import CentreKeys, GatewayKeys, centre_keys, gateway_keys

TAG, OTHER_TAG = "7a900001", "7a900002"
GATEWAY = gateway_keys(TAG, bytes(range(16)))
OTHER = gateway_keys(OTHER_TAG, bytes(range(16, 32)))
CENTRE = centre_keys(TAG, bytes(range(16)))
HEX = "00112233445566778899aabbccddeeff"

_keys = st.binary(min_size=16, max_size=16)
_ids = st.text("0123456789abcdef", min_size=8, max_size=8)
in_a_folder = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def keep(path: Path, *keys: GatewayKeys | CentreKeys) -> None:
    with successor(path, keys) as put_in_place:  # type: ignore[arg-type]
        put_in_place()


def write(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What is in them.


@in_a_folder
@given(st.dictionaries(_ids, st.tuples(_keys, _keys, _keys, st.none() | _keys), max_size=5))
def test_a_gateways_file_gives_back_its_tags_by_id(
    path: Path, tags: dict[str, tuple[bytes, bytes, bytes, bytes]]
) -> None:
    kept = [GatewayKeys(tag, *shares) for tag, shares in tags.items()]
    keep(path, *kept)
    assert read_gateway_keys(path) == sorted(kept, key=lambda keys: keys.tag)


@in_a_folder
@given(st.dictionaries(_ids, _keys, max_size=5))
def test_the_centres_file_gives_back_its_tags_by_id(path: Path, tags: dict[str, bytes]) -> None:
    kept = [CentreKeys(tag, key) for tag, key in tags.items()]
    keep(path, *kept)
    assert read_centre_keys(path) == sorted(kept, key=lambda keys: keys.tag)


def test_the_form_of_a_gateways_file_is_the_documented_one(path: Path) -> None:
    keep(path, OTHER, GATEWAY)
    shares = {"broadcast": GATEWAY.broadcast.hex(), "link": GATEWAY.link.hex(), "header": GATEWAY.header.hex()}
    data = json.loads(path.read_text())
    assert data["format"] == 1
    assert list(data["tags"]) == [TAG, OTHER_TAG]
    assert data["tags"][TAG] == shares


def test_the_form_of_the_centres_file_is_the_documented_one(path: Path) -> None:
    keep(path, CENTRE)
    assert json.loads(path.read_text()) == {"format": 1, "tags": {TAG: {"end_to_end": CENTRE.end_to_end.hex()}}}


# Who may reach them.


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_a_file_is_its_owners_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        keep(path, GATEWAY)
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o777])
def test_a_file_that_others_can_reach_is_refused_with_the_mend(path: Path, mode: int) -> None:
    keep(path, GATEWAY)
    path.chmod(mode)
    with pytest.raises(UserError, match=f"chmod 600 {path}$"):
        read_gateway_keys(path)


def test_an_owner_may_take_away_his_own_right_to_write(path: Path) -> None:
    keep(path, GATEWAY)
    path.chmod(0o400)
    assert read_gateway_keys(path) == [GATEWAY]


# What is none.

SHARES = f'"broadcast": "{HEX}", "link": "{HEX}", "header": "{HEX}"'
NO_GATEWAY_FILES = {
    "empty": "",
    "no JSON": f"{{{HEX}",
    "no UTF-8": b"\xff\xfe",
    "a list": "[]",
    "a number": "1",
    "nested without end": "[" * 100_000,
    "no format": '{"tags": {}}',
    "another format": '{"format": 2, "tags": {}}',
    "true is not 1": '{"format": true, "tags": {}}',
    "more than it should hold": f'{{"format": 1, "tags": {{}}, "secret": "{HEX}"}}',
    "tags as a list": '{"format": 1, "tags": []}',
    "an id in capitals": f'{{"format": 1, "tags": {{"7A900001": {{{SHARES}}}}}}}',
    "an id with a line end": f'{{"format": 1, "tags": {{"7a900001\\n": {{{SHARES}}}}}}}',
    "a tag without keys": '{"format": 1, "tags": {"7a900001": null}}',
    "a key too few": f'{{"format": 1, "tags": {{"7a900001": {{"broadcast": "{HEX}", "link": "{HEX}"}}}}}}',
    "a key too many": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES}, "secret": "{HEX}"}}}}}}',
    "a key too short": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES.replace(HEX, HEX[2:])}}}}}}}',
    "a key too long": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES.replace(HEX, HEX + "00")}}}}}}}',
    "a key as a number": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES}, "end_to_end": 5}}}}}}',
    "a key that is null": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES}, "end_to_end": null}}}}}}',
    "a tag twice": f'{{"format": 1, "tags": {{"7a900001": {{{SHARES}}}, "7a900001": {{{SHARES}}}}}}}',
    "the centre's": f'{{"format": 1, "tags": {{"7a900001": {{"end_to_end": "{HEX}"}}}}}}',
}


@pytest.mark.parametrize("content", NO_GATEWAY_FILES.values(), ids=NO_GATEWAY_FILES.keys())
def test_what_is_no_gateways_file_is_one_line_that_names_it_and_shows_no_key(path: Path, content: str | bytes) -> None:
    write(path, content)
    with pytest.raises(UserError) as caught:
        read_gateway_keys(path)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert "\n" not in line
    assert HEX[2:] not in line
    assert caught.value.__cause__ is None


def test_the_centre_reads_no_gateways_file(path: Path) -> None:
    keep(path, GATEWAY)
    with pytest.raises(UserError, match="the centre's key file holds end_to_end"):
        read_centre_keys(path)


@pytest.mark.parametrize("there", ["nothing", "folder", "pipe"])
def test_what_is_no_file_is_refused(path: Path, there: str) -> None:
    if there == "folder":
        path.mkdir()
    elif there == "pipe":
        os.mkfifo(path, 0o600)
    with pytest.raises(UserError, match=str(path)):
        read_gateway_keys(path)


@in_a_folder
@given(st.binary(max_size=200) | st.text(max_size=200).map(json.dumps).map(str.encode))
def test_garbage_is_a_users_error_and_nothing_else(path: Path, content: bytes) -> None:
    write(path, content)
    with pytest.raises(UserError):
        read_gateway_keys(path)


@in_a_folder
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_file_with_one_byte_altered_is_read_or_a_users_error(path: Path, at: int, byte: int) -> None:
    keep(path, GATEWAY, OTHER)
    content = bytearray(path.read_bytes())
    content[at % len(content)] = byte
    write(path, bytes(content))
    with suppress(UserError):
        read_gateway_keys(path)


# Replacing.


def test_a_successor_that_is_not_put_in_place_changes_nothing_and_leaves_nothing(path: Path) -> None:
    keep(path, GATEWAY)
    with successor(path, [OTHER]):
        pass
    assert read_gateway_keys(path) == [GATEWAY]
    assert list(path.parent.iterdir()) == [path]


def test_a_successor_is_as_closed_as_the_file(path: Path) -> None:
    with successor(path, [GATEWAY]):
        (beside,) = path.parent.iterdir()
        assert mode_of(beside) == 0o600


def test_what_a_cut_left_beside_is_in_nobodys_way(path: Path) -> None:
    write(path.with_name("keys.json.new"), "half", 0o644)
    keep(path, GATEWAY)
    assert mode_of(path) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_link_laid_beside_is_not_followed(path: Path) -> None:
    victim = path.with_name("victim")
    victim.write_text("mine")
    path.with_name("keys.json.new").symlink_to(victim)
    keep(path, GATEWAY)
    assert victim.read_text() == "mine"


def test_a_link_to_a_key_file_stays_a_link(path: Path) -> None:
    real = path.with_name("real.json")
    keep(real, GATEWAY)
    path.symlink_to(real)
    keep(path, OTHER)
    assert path.is_symlink()
    assert read_gateway_keys(real) == [OTHER]


@pytest.mark.parametrize("fails", ["fsync", "fchmod"])
def test_a_full_disk_is_a_users_error_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    keep(path, GATEWAY)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(keyring.os, fails, full)
    with pytest.raises(UserError, match="No space left"), successor(path, [OTHER]):
        pytest.fail("nothing may be done with a successor that is not on the disk")
    assert read_gateway_keys(path) == [GATEWAY]
    assert list(path.parent.iterdir()) == [path]


def test_no_folder_is_a_users_error(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "keys.json"
    with pytest.raises(UserError, match="none"), successor(nowhere, [GATEWAY]):
        pass
    with pytest.raises(UserError, match="none"), locked(nowhere):
        pass


def test_two_do_not_write_in_one_folder_at_a_time(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "a.json", tmp_path / "b.json"),
        pytest.raises(UserError, match="somebody else is writing"),
        locked(tmp_path / "c.json"),
    ):
        pass
    with locked(tmp_path / "c.json"):
        assert list(tmp_path.iterdir()) == []
