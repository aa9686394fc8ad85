"""A state folder of before there was a service: today's process takes it over and delivers what waited in it."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway_process import GatewayProcess, centre_behind, until
from hand_made_tag import HandMadeTag

MADE = Path(__file__).with_name("state-0f343db.sqlite")
"""By make_previous_state.py."""


def test_what_waited_in_the_previous_releases_outbox_is_delivered(tmp_path, mosquitto):
    tag = HandMadeTag()
    house = GatewayProcess(tmp_path / "gateway", mosquitto.url, tag)
    shutil.copy(MADE, house.state / "outbox.sqlite")

    async def main():
        async with centre_behind(mosquitto.url, tag) as centre:
            house.start()
            await house.port()
            await until(lambda: house.status()["traffic"]["receipted"] == 7)  # with today's `started`
            kept = [(entry.kind, entry.sequence) for entry in centre.ledger.entries() if entry.source == tag.ident]
            own = [entry.kind for entry in centre.ledger.entries() if entry.source != tag.ident]
            assert house.end() == 0
        assert sorted(kept) == [("event", 1), ("event", 4), ("fix", 2), ("fix", 3)]
        assert sorted(own) == ["alarm", "notice", "presence"]

    try:
        asyncio.run(main())
    finally:
        house.close()
    with closing(sqlite3.connect(house.state / "outbox.sqlite")) as db:
        assert db.execute("SELECT value FROM own WHERE name = 'note/slot/7a900001'").fetchone() == (7,)
