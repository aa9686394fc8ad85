"""A gateway's process in real time: the real outbox and relay on paho, and records that it is handed once and never again."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path

from strapline_gateway import pace
from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import Relay, state_will, subscriptions, utc_now
from strapline_gateway.station import Record
from strapline_protocol.cipher import HostCipher
from strapline_protocol.mqtt import PahoClient
from strapline_wire import frames, seal
from strapline_wire.keys import derive

TAG, GATEWAY = "7a900001", "6a7e0001"
SECRET = hashlib.sha256(b"strapline chaos: a tag of these runs alone").digest()[:16]
JOURNAL = 0x4A0B0001
RECORDS = 300

_PAUSE_S = 0.004
_ALARM_EACH = 10


def gateway_key() -> bytes:
    """The gateway–centre key of these runs."""
    return hashlib.sha256(b"strapline chaos: a gateway of these runs alone").digest()


async def live(url: str, path: Path) -> None:
    """Take the records that no earlier life has taken, one by one, until somebody kills this process."""
    pace.SPREAD_S = 1.0  # a backlog's wait is for ten thousand gateways; here is one
    outbox = Outbox(path)
    key = gateway_key()
    will = state_will(GATEWAY, key, utc_now(), outbox.start)
    client = PahoClient(url, f"strapline-{GATEWAY}", subscriptions(GATEWAY), will)
    loop = asyncio.get_running_loop()
    relay = Relay(GATEWAY, key, outbox, client, utc=utc_now, clock=loop.time, on_command=_to_tag, entropy=os.urandom)
    await client.connect(relay)
    taken = path.with_suffix(".taken")
    first = len(taken.read_bytes()) + 1 if taken.exists() else 1
    cipher = HostCipher(derive(SECRET, "end-to-end"))
    with taken.open("ab", buffering=0) as progress:
        for sequence in range(first, RECORDS + 1):
            relay.keep(_record(sequence, cipher))
            progress.write(b".")  # the outbox has said that it keeps it: it is asked for it, and nobody offers it again
            await asyncio.sleep(_PAUSE_S)
    while True:
        await asyncio.sleep(0.05)
        relay.publish_due()


def _record(sequence: int, cipher: HostCipher) -> Record:
    alarm = sequence % _ALARM_EACH == 0
    code = frames.EVENT_STRAP_OPEN if alarm else frames.EVENT_BEACON
    body = frames.pack_event((code, int(alarm), 1, sequence, 0, 0, 0))
    sealed = seal.seal_envelope((frames.EVENT, int(alarm), JOURNAL, sequence), body, cipher, seal.UP)
    return Record(TAG, seal.peek_envelope(sealed), sealed)


def _to_tag(_tag: str, _sealed: bytes) -> None:
    """There is no tag that could take it."""


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], Path(sys.argv[2])))
