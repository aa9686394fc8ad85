"""The gateway as its own, unmodified process on bleak's own BlueZ backend; a tag that runs the real firmware; a real broker; a centre."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from bluez_rig import LIMIT_S, Peripheral, Wearer, bluetooth, only_stand_in, thorough
from gateway_process import GatewayProcess, centre_behind
from strapline_protocol.definitions import EventCode
from strapline_simulator.bluez.faults import Deafness

QUICK = {"heartbeat_shortest_ms": 300, "heartbeat_longest_ms": 600}


DEAF_AFTER_S = 3.0
RECOVERY_S = 60.0
KEY_ID = 1


class House:
    """All that a test acts on."""

    def __init__(self, rig, tag, centre, process):
        self.rig, self.tag, self.centre, self.process = rig, tag, centre, process

    def events(self):
        """What the tag has told, in the order in which it came."""
        codes = [entry.fields["code"] for entry in self.centre.ledger.entries() if entry.kind == "event"]
        return [EventCode(code).name.lower() for code in codes]

    def notices(self):
        return [entry.fields["code"] for entry in self.centre.ledger.entries() if entry.kind == "notice"]

    async def told(self, event, times=1, limit_s=LIMIT_S):
        """Return once the centre has it."""
        try:
            async with asyncio.timeout(limit_s):
                while self.events().count(event) < times:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"no {event}: {self.events()}; {self.process.lines()[-15:]}") from None

    async def quiet(self):
        """The tag has told that it started, and its base station has hung up."""
        await self.told("started")
        async with asyncio.timeout(LIMIT_S):
            while self.tag.is_connected:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def cut_and_close(self):
        """A strap that is opened and closed again: two records and an alarm."""
        self.tag.cut_strap()
        await asyncio.sleep(0.2)
        self.tag.close_strap()

    def has_all(self):
        """Nothing is missing in the tag's journal as the centre has it, and nothing is there twice."""
        whole = [(e.source, e.journal, e.sequence) for e in self.centre.ledger.entries() if e.source == self.tag.name]
        assert len(whole) == len(set(whole))
        for journal in {journal for _, journal, _ in whole}:
            assert self.centre.ledger.gaps(self.tag.name, journal) == []


@pytest.fixture
def at_home(tmp_path, mosquitto):
    """Run a test's coroutine in a house that stands."""

    @asynccontextmanager
    async def house(body, settings):
        wearer = Wearer()
        async with (
            asyncio.timeout(8 * LIMIT_S),
            bluetooth() as rig,
            centre_behind(mosquitto.url, wearer) as centre,
        ):
            process = GatewayProcess(tmp_path / "gateway", mosquitto.url, wearer)
            text = process.config.read_text().replace('"tcp:127.0.0.1:0"', '"ble:"')
            process.config.write_text(f"{text}[radio]\ndeaf_after_s = {DEAF_AFTER_S}\n")
            try:
                # The tag first: while its interpreter starts, nobody answers on the bus.
                async with wearer.live(rig.air, body, **QUICK, **settings) as tag:
                    process.start(**rig.environment)
                    yield House(rig, tag, centre, process)
                assert process.process.poll() is None
                assert await asyncio.to_thread(process.end) == 0
            finally:
                process.close()

    def run(play, body="model", **settings):
        async def main():
            async with house(body, settings) as there:
                await play(there)
                there.has_all()

        asyncio.run(main())

    return run


def test_a_cut_strap_is_in_the_ledger(at_home):
    async def play(house):
        await house.told("started")
        house.tag.cut_strap()
        await house.told("strap_open")

    at_home(play, "micropython")


@thorough
def test_a_strap_that_is_cut_on_the_virtual_board_is_in_the_ledger(at_home):
    async def play(house):
        await house.told("started")
        house.tag.node.present_key(house.centre.issue_arm(house.tag.name, KEY_ID))
        await house.told("armed")
        house.tag.cut_strap()
        await house.told("strap_open")

    at_home(play, "virtual-board")


@thorough
def test_a_link_that_dies_in_the_middle(at_home):
    async def play(house):
        await house.told("started")
        house.tag.cut_strap()
        house.rig.reach[house.tag.name] = None  # before all of it can have gone
        house.tag.close_strap()
        await asyncio.sleep(1)
        house.rig.reach[house.tag.name] = -60
        await house.told("strap_closed")

    at_home(play)


@thorough
def test_bluetoothd_dies_and_comes_back(at_home):
    async def play(house):
        await house.quiet()
        await house.rig.bluez.bluetoothd_dies()
        await house.cut_and_close()
        await house.rig.bluez.bluetoothd_returns()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


def test_bluetoothd_dies_while_it_is_connected(at_home):
    async def play(house):
        await house.told("started")
        house.tag.cut_strap()
        await house.rig.bluez.bluetoothd_dies()
        house.tag.close_strap()
        await house.rig.bluez.bluetoothd_returns()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
def test_the_adapter_is_pulled_out_and_put_in_again(at_home):
    async def play(house):
        await house.quiet()
        await house.rig.bluez.unplug()
        await house.cut_and_close()
        await house.rig.bluez.plug_in()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
@only_stand_in
def test_calls_that_are_refused_or_never_answered(at_home):
    async def play(house):
        await house.quiet()
        house.rig.faults.connects_in_progress = 2
        await house.cut_and_close()
        await house.told("strap_closed", limit_s=RECOVERY_S)
        await house.quiet()
        house.rig.faults.connects_without_answer = 1
        await house.cut_and_close()
        await house.told("strap_closed", 2, limit_s=RECOVERY_S)

    at_home(play)


@only_stand_in
def test_an_adapter_that_goes_deaf_is_started_again(at_home):
    async def play(house):
        await house.quiet()
        house.rig.faults.deaf = Deafness.UNTIL_SCAN
        await house.cut_and_close()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
@only_stand_in
def test_an_adapter_that_only_power_mends_is_switched_off_and_on(at_home):
    async def play(house):
        async with Peripheral(house.rig.air, "neighbour") as neighbour:
            neighbour.service_data = None
            await house.quiet()
            house.rig.faults.deaf = Deafness.UNTIL_POWER
            await house.cut_and_close()
            await house.told("strap_closed", limit_s=RECOVERY_S)
            assert {"radio_deaf", "radio_back"} <= set(house.notices())

    at_home(play)


@thorough
@only_stand_in
def test_it_is_switched_off_and_on_where_nobody_else_is_on_the_air(at_home):
    async def play(house):
        await house.quiet()
        house.rig.faults.deaf = Deafness.UNTIL_POWER
        await house.cut_and_close()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
@only_stand_in
def test_a_link_that_is_lost_in_silence(at_home):
    async def play(house):
        await house.told("started")
        house.rig.faults.silent_loss = True
        house.tag.cut_strap()
        await house.told("strap_open")
        house.rig.reach[house.tag.name] = None
        await asyncio.sleep(1.5)
        house.rig.reach[house.tag.name] = -60
        house.tag.close_strap()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
def test_the_radio_is_not_there_when_the_gateway_starts(at_home):
    async def play(house):
        await house.quiet()
        house.process.end()
        await house.rig.bluez.bluetoothd_dies()
        house.process.start(**house.rig.environment)
        await house.cut_and_close()
        await house.process.logged("runs with 1 tags")
        await house.rig.bluez.bluetoothd_returns()
        await house.told("strap_closed", limit_s=RECOVERY_S)

    at_home(play)


@thorough
@only_stand_in
def test_bluetoothd_does_not_collect_the_addresses_of_tags(at_home):
    async def play(house):
        await house.quiet()
        await asyncio.sleep(1)
        assert house.rig.bluez.kept_devices == []

    at_home(play)
