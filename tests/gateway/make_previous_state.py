"""Makes `state-0f343db.sqlite`: the outbox of a gateway of before there was a service, with records that wait.

Run from the checkout: `python tests/gateway/make_previous_state.py`. It takes the sources of commit 0f343db out of git and lets them, and
nothing of today's, fill the outbox: through their relay, as their gateway did, without a broker. Test keys only.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

COMMIT = "0f343db"
HERE = Path(__file__).parent

_INSIDE = """
import sqlite3
from datetime import UTC, datetime
from hand_made_tag import HandMadeTag
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay
from strapline_gateway.station import Presence, Provisional, Record
from strapline_protocol.definitions import State
from strapline_wire import frames, seal

tag, outbox = HandMadeTag(), Outbox("made.sqlite")
relay = Relay(
    "6a7e0001", bytes(range(32)), outbox, client=None, utc=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), clock=lambda: 0.0,
    on_command=None, entropy=lambda n: bytes(range(n)),
)
relay.keep(Presence(tag.ident, True, -60))
for sealed in (tag.event(frames.EVENT_STARTED), tag.fix(now=60), tag.fix(now=120), tag.event(frames.EVENT_STRAP_OPEN, now=130)):
    relay.keep(Record(tag.ident, seal.peek_envelope(sealed), sealed))
relay.keep(Provisional(tag.ident, 4, State.ALARM_PENDING))
relay.keep_slots({tag.ident: 7})
outbox.close()
with sqlite3.connect("made.sqlite") as db:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
"""


def main() -> None:
    """Make it."""
    root = HERE.parents[1]
    with tempfile.TemporaryDirectory() as folder:
        sources = subprocess.run(["git", "-C", root, "archive", COMMIT], capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=sources, check=True)
        paths = [f"{folder}/{part}" for part in ("protocol", "gateway", "firmware", "tests")]
        environment = {**os.environ, "PYTHONPATH": ":".join(paths)}
        subprocess.run([sys.executable, "-c", _INSIDE], cwd=folder, env=environment, check=True)
        (HERE / f"state-{COMMIT}.sqlite").write_bytes(Path(folder, "made.sqlite").read_bytes())


if __name__ == "__main__":
    main()
