"""Keys of tags on the gateway's disk: new ones that the centre hands out outlive a restart."""

import asyncio
import json
import signal

import pytest

from gateway_process import GatewayProcess, calling, centre_behind, until, write_private, write_tags
from hand_made_tag import SECRET, TAG, HandMadeTag
from strapline_gateway.station import Station
from strapline_gateway.tag_keys import NEXT_FILE, TagKeys
from strapline_protocol.cipher import HostCipher
from strapline_protocol.errors import UserError
from strapline_protocol.keys import centre_keys
from strapline_protocol.rekeying import next_generation
from strapline_wire import frames
from strapline_wire.keys import renew

SALT = bytes(16)


def renewed(number, salt=SALT):
    """The tag after it has obeyed the change to this generation of keys."""
    shared, end_to_end = renew(centre_keys(TAG, SECRET).end_to_end, salt, number)
    tag = HandMadeTag(TAG, shared)
    tag._end_to_end = HostCipher(end_to_end)
    return tag


def test_a_tag_under_its_next_keys_is_known_after_a_kill_and_its_old_keys_are_not_after_that(tmp_path, mosquitto):
    old = HandMadeTag()
    house = GatewayProcess(tmp_path / "gateway", mosquitto.url, old)

    def generations():
        return [(tag["key_generation"], tag["next_generations"]) for tag in house.status()["tags"]]

    async def main():
        async with centre_behind(mosquitto.url, old) as centre:
            house.start()
            await house.logged("connected with the broker")
            centre.rekey(TAG)
            centre.say()
            await until((house.state / NEXT_FILE).exists)
            assert house.end(signal.SIGKILL) == -signal.SIGKILL
            new = renewed(1, centre.desk._changes[TAG].generation.salt)
            house.start()
            async with calling(await house.port(), new) as call:
                call.send(new.event(frames.EVENT_STRAP_OPEN))
                await call.receipt()
            assert generations() == [(1, [])]
            assert house.end() == 0
            house.start()
            port = await house.port()
            assert generations() == [(1, [])]
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(old.hello(0.0))
            await until(lambda: house.status()["traffic"]["rejected_frames"] == {"unknown_tag": 1})
            writer.close()
            assert house.end() == 0

    try:
        asyncio.run(main())
    finally:
        house.close()


@pytest.fixture
def keys(tmp_path):
    write_tags(tmp_path / "tags.json", HandMadeTag())
    return TagKeys(tmp_path / "tags.json", tmp_path)


def again(keys, tmp_path):
    return TagKeys(tmp_path / "tags.json", tmp_path)


def generation(number, salt=SALT):
    return next_generation(centre_keys(TAG, SECRET), number, salt).gateways


def station_status(keys):
    station = Station(1, (), bytes, home=True)
    current, number = keys.current(TAG)
    station.enrol(current, 0.0, number)
    for one in keys.expected(TAG):
        station.expect_keys(one.keys, one.generation, 0.0)
    return station


def test_what_was_kept_is_there_again_in_order(keys, tmp_path):
    for number in (2, 1):
        keys.keep(generation(number), number)
    found = again(keys, tmp_path)
    assert [(one.generation, one.keys) for one in found.expected(TAG)] == [(1, generation(1)), (2, generation(2))]
    assert found.current(TAG) == (HandMadeTag().gateway_keys, 0)
    assert (tmp_path / NEXT_FILE).stat().st_mode & 0o777 == 0o600


def test_keys_that_the_tag_has_come_under_end_those_of_before(keys, tmp_path):
    for number in (1, 2, 3):
        keys.keep(generation(number), number)
    (status,) = station_status(keys).status(0.0)
    keys.follow([status._replace(key_generation=2)])
    found = again(keys, tmp_path)
    assert found.current(TAG) == (generation(2), 2)
    assert [one.generation for one in found.expected(TAG)] == [3]
    assert not station_status(found).expect_keys(generation(1), 1, 0.0)  # repeated by somebody: it is over


def test_a_tag_that_was_provisioned_anew_has_no_next_keys(keys, tmp_path):
    keys.keep(generation(1), 1)
    write_tags(tmp_path / "tags.json", HandMadeTag(secret=bytes(16)))
    assert again(keys, tmp_path).expected(TAG) == []


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1, "tags": {"7a900001": {}}}', '{"format": 2, "tags": {}}'])
def test_a_damaged_file_is_one_line_that_names_it_and_the_mend(keys, tmp_path, content):
    write_private(tmp_path / NEXT_FILE, content)
    with pytest.raises(UserError, match=f"{NEXT_FILE}: "):
        again(keys, tmp_path)


def test_a_file_that_can_not_be_replaced_leaves_the_one_that_is_there(keys, tmp_path, monkeypatch):
    keys.keep(generation(1), 1)
    before = json.loads((tmp_path / NEXT_FILE).read_text())

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("strapline_protocol.durable.write_new", full)
    with pytest.raises(OSError, match="No space"):
        keys.keep(generation(2), 2)
    assert json.loads((tmp_path / NEXT_FILE).read_text()) == before
