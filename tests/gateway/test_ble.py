"""The radio: the gateway's own bleak calls against a tag that the test plays, on simulated air."""

import asyncio
import logging

import pytest
from bleak.exc import BleakDBusError, BleakError

from hand_made_tag import OTHER_SECRET, OTHER_TAG
from radio_bench import for_ever, now, on_air, raising, spoilt
from strapline_gateway.ble import CONNECT_LIMIT_S
from strapline_gateway.radio import CALL_LIMIT_S, kind_of
from strapline_gateway.station import IDLE_S, LEAVE_AFTER_S, Presence
from strapline_protocol.definitions import State
from strapline_protocol.errors import UserError


@pytest.fixture(autouse=True)
def _nothing_complains(caplog):
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.WARNING] == []


def test_a_tag_is_heard_called_and_listened_to():
    async def story(bench):
        tag = await bench.tag()
        tag.records = [tag.tag.event(), tag.tag.event()]
        async with bench.running():
            tag.flags = State.PENDING
            await tag.beacon(3)
            assert [record.sealed for record in bench.records()] == tag.records
            assert bench.relay.kept[0] == Presence(tag.tag.ident, True, -60, verified=False)
            await asyncio.sleep(IDLE_S + 1)
            assert tag.events == ["up", "down"]
        assert bench.failures == {}
        assert dict(bench.gateway.station.rejected) == {}

    on_air(story)


def test_a_long_record_comes_in_portions_and_a_long_command_goes_out_in_portions():
    async def story(bench):
        tag = await bench.tag()
        tag.records = [tag.tag.record(0x10, bytes(490))]
        command = bytes(range(256)) * 2
        async with bench.running() as gateway:
            gateway.station.send_command(tag.tag.ident, command, now())
            await tag.beacon(3)
            await asyncio.sleep(1)
            assert [record.sealed for record in bench.records()] == tag.records
            assert tag.tag.taken == [command]
            welcome, *portions = tag.portions
            assert len(portions) == 3
            assert portions[:2] == [244, 244]
            assert welcome < 244
        assert bench.failures == {}

    on_air(story)


def test_mail_goes_out_while_the_link_stands():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running() as gateway:
            await tag.beacon(2)
            gateway.command(tag.tag.ident, b"sealed")
            await asyncio.sleep(0.5)
            assert tag.tag.taken == [b"sealed"]

    on_air(story)


def test_two_tags_are_served_one_call_after_the_other():
    async def story(bench):
        one, two = await bench.tag("one"), await bench.tag("two", OTHER_TAG, OTHER_SECRET)
        for tag in (one, two):
            tag.records, tag.flags = [tag.tag.event()], State.PENDING
        async with bench.running():
            await asyncio.gather(one.beacon(5), two.beacon(5))
            assert {record.tag for record in bench.records()} == {one.tag.ident, two.tag.ident}

    on_air(story)


def test_a_tag_that_advertises_and_cannot_be_reached_is_a_failed_call():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running() as gateway:
            tag.advertise()
            await asyncio.sleep(CONNECT_LIMIT_S + 1)
            enrolled = gateway.station._tags[tag.tag.ident]
            assert (enrolled.in_call, enrolled.calling, enrolled.failures) == (False, None, 1)
            assert bench.failures == {"TimeoutError": 1}
            await tag.beacon(10)  # it is there again
            assert enrolled.contact_at > 0
            assert enrolled.failures == 0

    on_air(story)


def test_losing_the_link_in_the_middle_closes_it_and_the_tag_is_called_again():
    async def story(bench):
        tag = await bench.tag()
        tag.flags, tag.records = State.PENDING, [tag.tag.event()]
        async with bench.running() as gateway:
            await tag.beacon(2)
            assert gateway.station._connections != {}
            bench.dbm["tag", "gateway"] = None
            await asyncio.sleep(10)
            assert gateway.station._connections == {}
            assert gateway._ble._outgoing == {}
            bench.dbm.clear()
            await tag.beacon(10)
            assert len(bench.records()) >= 2

    on_air(story)


def test_a_tag_whose_power_fails_in_the_middle_does_not_stop_the_gateway():
    async def story(bench):
        tag, other = await bench.tag(), await bench.tag("other", OTHER_TAG, OTHER_SECRET)
        other.flags, other.records = State.PENDING, [other.tag.event()]
        async with bench.running() as gateway:
            tag.advertise()
            await asyncio.sleep(0)
            await tag.radio.stop()
            await other.beacon(40)
            assert {record.tag for record in bench.records()} == {other.tag.ident}
            assert gateway.station._connections == {} or not gateway.station._tags[tag.tag.ident].link

    on_air(story)


def test_a_device_that_answers_and_says_nothing_is_let_go():
    async def story(bench):
        tag = await bench.tag()
        tag.silent = True
        async with bench.running() as gateway:
            await tag.beacon(14)
            assert "down" in tag.events
            assert gateway.station._tags[tag.tag.ident].failures >= 1

    on_air(story)


def test_presence_goes_when_the_tag_is_out_of_reach():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running():
            await tag.beacon(3)
            bench.dbm["tag", "gateway"] = None
            await tag.beacon(LEAVE_AFTER_S + 1, interval_s=10.0)
            assert bench.presences() == [True, False]

    on_air(story)


def test_advertisements_of_others_are_passed_over():
    async def story(bench):
        tag = await bench.tag()
        stranger = await bench.tag("stranger", OTHER_TAG, OTHER_SECRET)
        bench.tags.remove(stranger)
        async with bench.running() as gateway:
            await stranger.beacon(5)
            await tag.beacon(1)
            assert bench.presences() == [True]
            assert gateway.station.rejected["unknown_tag"] == 5
            assert stranger.events == []
        await stranger.radio.stop()

    on_air(story)


# Calls that hang or fail in ways that are no business of ours.


def test_a_connect_that_hangs_is_given_up_and_others_get_their_turn():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running(client_backend=spoilt(bench.radio.client_backend, connect=for_ever)) as gateway:
            tag.advertise()
            await asyncio.sleep(CONNECT_LIMIT_S + CALL_LIMIT_S + 1)
            assert not gateway.station._tags[tag.tag.ident].in_call
            assert not gateway._ble._calls.locked()
            assert bench.failures == {"TimeoutError": 1}

    on_air(story)


def test_a_connect_that_hangs_ends_at_once_when_the_tag_is_heard_under_another_address():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running(client_backend=spoilt(bench.radio.client_backend, connect=for_ever)) as gateway:
            tag.advertise()
            await asyncio.sleep(1)
            assert gateway._ble._calls.locked()
            tag.tag.slot += 1
            tag.advertise()
            await asyncio.sleep(0.5)
            assert not gateway._ble._calls.locked()
            assert bench.failures == {}
            assert gateway.station._tags[tag.tag.ident].failures == 0

    on_air(story)


@pytest.mark.parametrize("method", ["start_notify", "write_gatt_char", "disconnect"])
def test_a_call_that_hangs_ends_its_link_and_nothing_else(method):
    async def story(bench):
        tag = await bench.tag()
        backend = spoilt(bench.radio.client_backend, **{method: for_ever})
        async with bench.running(client_backend=backend) as gateway:
            tag.advertise()
            await asyncio.sleep(0.01)
            tag.advertise()
            await asyncio.sleep(IDLE_S + 2 * CALL_LIMIT_S + 1)
            assert gateway.station._connections == {}
            assert gateway._ble._outgoing == {}
            assert bench.failures["TimeoutError"] >= 1
            assert not gateway._ble._calls.locked()

    on_air(story)


@pytest.mark.parametrize("method", ["connect", "start_notify", "write_gatt_char", "disconnect"])
@pytest.mark.parametrize(
    "error", [BleakError("no"), BleakDBusError("org.bluez.Error.InProgress", []), OSError(5, "io")]
)
def test_a_call_that_fails_is_counted_and_the_tag_is_called_again(method, error):
    async def story(bench):
        tag = await bench.tag()
        backend = spoilt(bench.radio.client_backend, **{method: raising(error)})
        async with bench.running(client_backend=backend) as gateway:
            tag.flags = State.PENDING
            await tag.beacon(60)
            assert bench.failures[kind_of(error)] >= 2
            assert len(gateway.station._connections) <= 1
            assert len(gateway._ble._calling) <= 1

    on_air(story)


@pytest.mark.parametrize("error", [EOFError(), AssertionError("a library's own"), AttributeError("None has no x")])
@pytest.mark.parametrize("method", ["connect", "start_notify"])
def test_an_error_that_nobody_expects_does_not_end_the_gateway(method, error, caplog):
    async def story(bench):
        tag = await bench.tag()
        backend = spoilt(bench.radio.client_backend, **{method: raising(error)})
        async with bench.running(client_backend=backend) as gateway:
            tag.flags = State.PENDING
            await tag.beacon(60)
            assert bench.failures[type(error).__name__] >= 2
            assert gateway.station._connections == {}
            await asyncio.sleep(LEAVE_AFTER_S)
            assert bench.presences() == [True, False]

    on_air(story)
    assert "the radio failed in an unknown way" in caplog.text
    caplog.clear()


# The end.


def test_the_end_comes_at_once_while_a_link_stands():
    async def story(bench):
        tag = await bench.tag()
        async with bench.running() as gateway:
            await tag.beacon(2)
            assert gateway.station._connections != {}
            ending = now()
        assert now() - ending < 1
        assert gateway.station._connections == {}
        await asyncio.sleep(1)
        assert tag.events == ["up", "down"]

    on_air(story)


def test_the_end_does_not_wait_for_calls_that_are_under_way():
    async def story(bench):
        one, two = await bench.tag("one"), await bench.tag("two", OTHER_TAG, OTHER_SECRET)
        async with bench.running():
            one.advertise()
            two.advertise()
            await asyncio.sleep(1)  # one is being called, two waits for its turn
            ending = now()
        assert now() - ending < 1

    on_air(story)


def test_the_end_comes_though_everything_hangs():
    async def story(bench):
        tag = await bench.tag()
        client = spoilt(bench.radio.client_backend, disconnect=for_ever)
        scanner = spoilt(bench.radio.scanner_backend, stop=for_ever)
        async with bench.running(client_backend=client, scanner_backend=scanner):
            await tag.beacon(2)
            ending = now()
        assert now() - ending <= 2 * CALL_LIMIT_S + 1
        assert bench.failures == {"TimeoutError": 2}

    on_air(story)


def test_a_scanner_that_fails_to_stop_does_not_keep_links_open():
    async def story(bench):
        tag = await bench.tag()
        scanner = spoilt(
            bench.radio.scanner_backend, stop=raising(BleakDBusError("org.bluez.Error.InProgress", ["in progress"]))
        )
        async with bench.running(scanner_backend=scanner) as gateway:
            await tag.beacon(2)
            assert gateway.station._connections != {}
        assert gateway.station._connections == {}
        assert bench.failures == {"InProgress": 1}

    on_air(story)


def test_what_is_heard_during_the_end_starts_nothing():
    async def story(bench):
        tag = await bench.tag()
        client = spoilt(bench.radio.client_backend, disconnect=for_ever)
        scanner = spoilt(bench.radio.scanner_backend, stop=for_ever)
        async with bench.running(client_backend=client, scanner_backend=scanner):
            tag.flags = State.PENDING
            await tag.beacon(2)
            more = asyncio.create_task(tag.beacon(60, interval_s=0.5))
            ending = now()
        assert now() - ending <= 2 * CALL_LIMIT_S + 1
        more.cancel()
        await asyncio.wait([more])

    on_air(story)


def test_a_cancelled_gateway_closes_its_links():
    async def story(bench):
        tag = await bench.tag()

        async def run():
            async with bench.running():
                await asyncio.get_running_loop().create_future()

        gateway = asyncio.create_task(run())
        await asyncio.sleep(0.1)
        await tag.beacon(2)
        assert bench.gateway.station._connections != {}
        gateway.cancel()
        await asyncio.wait([gateway])
        assert gateway.cancelled()
        assert bench.gateway.station._connections == {}

    on_air(story)


def test_what_goes_wrong_around_the_gateway_comes_out_as_it_is():
    async def story(bench):
        tag = await bench.tag()

        async def fail():
            async with bench.running():
                await tag.beacon(2)
                raise UserError("one line")

        with pytest.raises(UserError):
            await fail()
        assert bench.gateway.station._connections == {}

    on_air(story)
