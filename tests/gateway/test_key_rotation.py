"""The key of gateway and centre is changed while records flow, and none of them is refused at either end."""

import asyncio

import pytest

from gateway_process import GATEWAY, KEY, GatewayProcess, calling, centre_behind, until
from hand_made_tag import HandMadeTag
from strapline_protocol.errors import UserError
from strapline_protocol.link_key import LinkKey, read_link_keys
from strapline_wire import frames


@pytest.fixture
def house(tmp_path, mosquitto):
    tag = HandMadeTag()
    process = GatewayProcess(tmp_path / "gateway", mosquitto.url, tag)
    process.tag = tag
    yield process
    process.close()


def events(centre):
    return [entry.sequence for entry in centre.ledger.entries() if entry.kind == "event"]


def refused(centre):
    """What the centre refused; not the state that the broker retains, which a centre hears again after its restart."""
    return {reason: count for reason, count in centre.rejected.items() if reason != "old_state"}


def test_a_key_is_changed_end_to_end_without_a_refused_message(house, mosquitto, tmp_path):
    ledger = f"sqlite:///{tmp_path}/ledger.sqlite"
    path = house.folder / "centre.key"
    share = house.folder / "centre.key.for-the-centre"
    received = []

    async def receipted(centre, call):
        call.send(house.tag.event(frames.EVENT_STRAP_OPEN))
        await until(lambda: house.tag.sequence in events(centre))
        await until(lambda: house.waiting("event") == 0)
        await call.receipt()

    async def main():
        async with centre_behind(mosquitto.url, house.tag, ledger=ledger) as centre:
            house.start()
            async with calling(await house.port(), house.tag) as call:
                await receipted(centre, call)
                code, told = house.ask("keys", "rotate")
                assert (code, str(share) in told) == (0, True)
                assert house.ask("keys", "rotate", "--finish")[0] == 2  # the centre has not used it
                await receipted(centre, call)  # old at both ends still
            received.append(refused(centre))
        new, old = read_link_keys(share)
        assert old == KEY
        async with centre_behind(mosquitto.url, house.tag, ledger=ledger, key=LinkKey(new, [old])) as centre:
            async with calling(await house.port(), house.tag) as call:
                await receipted(centre, call)  # sealed under the old key there, under the new one back
                await until(lambda: read_link_keys(path)[0] == new)
                await until(lambda: house.status()["broker"]["connected"])
                await receipted(centre, call)
            code, told = house.ask("keys", "rotate", "--finish")
            assert (code, share.exists()) == (0, False)
            received.append(refused(centre))
        async with centre_behind(mosquitto.url, house.tag, ledger=ledger, key=new) as centre:
            async with calling(await house.port(), house.tag) as call:
                await receipted(centre, call)
            traffic = house.status()["traffic"]
            assert house.end() == 0
            await until(lambda: centre.gateway_states.get(GATEWAY) == "offline")
            kept = events(centre)
            received.append(refused(centre))
        assert kept == [1, 2, 3, 4, 5]
        assert traffic["rejected_messages"] == {}

    asyncio.run(main())
    assert received == [{}, {}, {}]
    assert read_link_keys(path) == (read_link_keys(path)[0],)


def test_a_change_that_is_under_way_is_not_begun_twice(house):
    assert house.ask("keys", "rotate", "--finish")[0] == 2
    assert house.ask("keys", "rotate")[0] == 0
    before = (house.folder / "centre.key").read_text()
    code, told = house.ask("keys", "rotate")
    assert (code, "the centre has not used the new key yet" in told) == (2, True)
    assert (house.folder / "centre.key").read_text() == before


def test_a_new_key_overwrites_nothing_and_is_not_printed(house, tmp_path):
    from typer.testing import CliRunner

    from strapline_gateway.command import app

    path = tmp_path / "new.key"
    told = CliRunner().invoke(app, ["keys", "new", str(path)])
    (key,) = read_link_keys(path)
    assert key.hex() not in told.output
    assert path.stat().st_mode & 0o777 == 0o600
    assert isinstance(CliRunner().invoke(app, ["keys", "new", str(path)]).exception, UserError)
    assert read_link_keys(path) == (key,)


def test_a_link_key_prints_without_itself():
    key = LinkKey(KEY, [bytes(32)])
    assert KEY.hex() not in f"{key!r} {key}"
    assert key == KEY
