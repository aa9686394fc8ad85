"""The gateway's own sensors as files and programs; from a gateway process to the centre's alert."""

import asyncio
import sys

import pytest

from gateway_process import GatewayProcess, centre_behind, until
from hand_made_tag import HandMadeTag
from strapline_gateway.config import Sensor
from strapline_gateway.senses import Senses
from strapline_protocol.notices import NoticeCode


def codes(centre):
    return [entry.fields["code"] for entry in centre.ledger.entries() if entry.kind == "notice"]


def test_mains_that_a_file_tells_of_are_an_alert_at_the_centre(tmp_path, mosquitto):
    online = tmp_path / "online"
    online.write_text("1\n")
    sensor = f'[[sensor]]\nkind = "mains"\nfile = "{online}"\nevery_s = 0.1\n'
    house = GatewayProcess(tmp_path / "gateway", mosquitto.url, HandMadeTag(), more=sensor)

    async def main():
        async with centre_behind(mosquitto.url, HandMadeTag()) as centre:
            house.start()
            await until(lambda: NoticeCode.STARTED in codes(centre))
            online.write_text("0\n")
            await until(lambda: NoticeCode.MAINS_LOST in codes(centre))
            assert house.end() == 0

    try:
        asyncio.run(main())
    finally:
        house.close()


async def told_of(sensor, count=1):
    """The first notices that come of a sensor, and what is failing then."""
    told = []
    enough = asyncio.Event()

    def tell(notice):
        told.append(notice)
        if len(told) >= count:
            enough.set()

    senses = Senses((sensor,), tell)
    task = asyncio.create_task(senses.run())
    async with asyncio.timeout(20):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return told


def test_a_program_tells_the_battery():
    sensor = Sensor("battery", command=(sys.executable, "-c", "print(9)"), every_s=0.1)
    told = asyncio.run(told_of(sensor, 2))
    assert [notice.code for notice in told] == [NoticeCode.BATTERY_LOW, NoticeCode.BATTERY_CRITICAL]


def test_a_contact_may_be_the_other_way_round(tmp_path):
    (tmp_path / "case").write_text("0")
    sensor = Sensor("case", file=tmp_path / "case", every_s=0.1, inverted=True)
    assert [notice.code for notice in asyncio.run(told_of(sensor))] == [NoticeCode.CASE_OPENED]


@pytest.mark.parametrize("content", ["", "many", "nan", "inf", "-5", "1e9"])
def test_what_is_no_reading_is_told_once_in_the_log_and_nothing_comes_of_it(tmp_path, caplog, content):
    (tmp_path / "level").write_text(content)

    async def main():
        senses = Senses(
            (Sensor("battery", file=tmp_path / "level", every_s=0.01),), lambda _notice: pytest.fail("told")
        )
        task = asyncio.create_task(senses.run())
        await until(lambda: senses.failing)
        (tmp_path / "level").write_text("50")
        await until(lambda: not senses.failing)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert [record.levelname for record in caplog.records if "cannot be read" in record.message] == ["WARNING"]


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("strapline_gateway.senses.READ_LIMIT_S", 0.2)
    script = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    sensor = Sensor("mains", command=(sys.executable, "-c", script), every_s=60)

    async def main():
        senses = Senses((sensor,), lambda _notice: pytest.fail("told"))
        task = asyncio.create_task(senses.run())
        await until(lambda: senses.failing)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
