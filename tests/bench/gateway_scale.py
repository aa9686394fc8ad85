"""What ten thousand enrolled tags cost a gateway: time of one heartbeat against ten tags, and memory of each. Prints JSON.

Both stations are fed by the same number of tags with the same heartbeats, so that only the number of those enrolled differs. Turns are
taken in rotation, and the best of each counts: noise only ever adds. `open_10000_vs_10_all_heard` is the same where all ten thousand speak:
then it is also measured how many of them the processor's caches hold.
"""

import gc
import json
import os
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path

from strapline_gateway.station import Station
from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import gateway_keys
from strapline_wire import frames, seal
from strapline_wire.keys import Slot, derive

FEW, MANY = 10, 10_000
SPEAKERS = 10
ROUNDS = 40
TURNS = 15
HEARTBEAT_S = 5.5


class Speaker:
    """A tag that only sends heartbeats."""

    def __init__(self, number):
        self.secret = number.to_bytes(16, "big")
        self.keys = gateway_keys(f"{number:08x}", self.secret)
        self._broadcast, header = (
            HostCipher(derive(self.secret, "broadcast")),
            HostCipher(derive(self.secret, "header")),
        )
        self._header = header
        self._pseudonym = Slot(header, 0).pseudonym
        self._counter = 0

    def heartbeat(self, now):
        self._counter += 1
        body = frames.pack_heartbeat((1, 0, 90, int(now) // 4 & 0xFFFF, 0))
        return seal.seal_frame(
            frames.HEARTBEAT, self._pseudonym, self._counter - 1, body, self._broadcast, self._header, seal.UP
        )


def station_of(count):
    """A station with so many tags, of which the first speak; the memory of one tag is measured on the way."""
    keys = [Speaker(number).keys for number in range(count)]
    return Station(1, keys, os.urandom, home=True)


def drain(station):
    while station.next_event() is not None:
        pass


def turn_ns(station, speakers, now, rounds):
    """Nanoseconds for one heartbeat: resolved, opened, judged, and the timer asked for what is due."""
    beats = [
        (speaker.heartbeat(now + r * HEARTBEAT_S), now + r * HEARTBEAT_S) for r in range(rounds) for speaker in speakers
    ]
    gc.collect()
    gc.disable()
    began = time.perf_counter_ns()
    for data, at in beats:
        station.receive_advertisement("C0:00:00:00:00:01", -60, data, at)
        while station.next_event() is not None:
            pass
        station.next_deadline()
    taken = time.perf_counter_ns() - began
    gc.enable()
    return taken / len(beats)


def compare(stations, speakers, rounds):
    """The best of some turns for each station, taken in rotation."""
    best = dict.fromkeys(stations, float("inf"))
    now = 0.0
    for _ in range(TURNS):
        for name, station in stations.items():
            best[name] = min(best[name], turn_ns(station, speakers[name], now, rounds))
        now += (rounds + 1) * HEARTBEAT_S
    for station in stations.values():
        assert station.accepted > 0
        assert not station.rejected
    return best


def memory_per_tag():
    """Bytes of Python's own memory for one enrolled tag that has been heard; what OpenSSL holds for its ciphers comes on top."""
    speakers = [Speaker(number) for number in range(1000)]
    gc.collect()
    tracemalloc.start()
    resident = _resident()
    before = tracemalloc.get_traced_memory()[0]
    station = Station(1, [speaker.keys for speaker in speakers], os.urandom, home=True)
    for _ in range(8):
        for speaker in speakers:
            station.receive_advertisement("C0:00:00:00:00:01", -60, speaker.heartbeat(0.0), 0.0)
            drain(station)
    gc.collect()
    python = (tracemalloc.get_traced_memory()[0] - before) / len(speakers)
    tracemalloc.stop()
    return python, (_resident() - resident) / len(speakers)


def _resident():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def gateway_scale():
    """The figures, as tests/bench/bench.py has them."""
    python, resident = memory_per_tag()
    stations = {"few": station_of(FEW), "many": station_of(MANY)}
    make = partial(map, Speaker)
    heard = compare(stations, {name: list(make(range(SPEAKERS))) for name in stations}, ROUNDS)
    stations = {"few": station_of(FEW), "many": station_of(MANY)}
    everyone = {"few": list(make(range(FEW))), "many": list(make(range(MANY)))}
    turns = {name: [] for name in stations}
    now = 0.0
    for _ in range(4):
        for name, rounds in (("few", 1000), ("many", 1)):
            turns[name].append(turn_ns(stations[name], everyone[name], now, rounds))
        now += 1001 * HEARTBEAT_S
    ratio = heard["many"] / heard["few"]
    told = {"name": "the same with 10 enrolled, ns", "value": round(heard["few"])}
    return {
        "open_10000_vs_10": {
            "value": round(ratio, 3), "unit": "x", "goal": "<= 1.2", "holds": ratio <= 1.2, "baseline": told,
        },
        "open_10000_vs_10_all_heard": {
            "value": round(min(turns["many"]) / min(turns["few"]), 3), "unit": "x", "goal": None, "holds": None, "baseline": None,
        },
        "memory_per_tag_bytes": {
            "value": round(python), "unit": "B", "goal": None, "holds": None,
            "baseline": {"name": "resident memory of the process, with OpenSSL's", "value": round(resident)},
        },
    }  # fmt: skip


if __name__ == "__main__":
    json.dump(gateway_scale(), sys.stdout, indent=2)
    print()
