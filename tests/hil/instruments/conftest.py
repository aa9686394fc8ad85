"""Every instrument with what it takes to test it, for the tests that all of them pass."""

from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from strapline_hil.instruments.bench_board import BenchBoard
from strapline_hil.instruments.bench_wiring import PICO
from strapline_hil.instruments.fakes.bench_board import FakeBenchBoard
from strapline_hil.instruments.fakes.lcus import FakeLcus
from strapline_hil.instruments.fakes.ppk2 import FakePpk2
from strapline_hil.instruments.fakes.scpi import FakeScpi
from strapline_hil.instruments.lcus_relay import LcusRelay
from strapline_hil.instruments.ppk2_meter import Ppk2Meter
from strapline_hil.instruments.scpi_supply import ScpiSupply
from strapline_hil.instruments.strap import StrapRelay


class Kind(NamedTuple):
    """A fake without arguments, the driver at a port, and something that makes the driver talk."""

    fake: Any
    driver: Any
    talk: Any
    real: str
    """Its name in STRAPLINE_RIG."""


def quick_lcus(port, **options):
    return LcusRelay(port, **{"timeout_s": 0.5, "settle_s": 0.0, **options})


def quick_scpi(port, **options):
    return ScpiSupply(port, **{"timeout_s": 0.5, "settle_s": 0.0, **options})


def quick_ppk2(port, **options):
    return Ppk2Meter(port, **{"timeout_s": 0.5, "samples_per_s": 1000, "clock": lambda: 0.0, **options})


class OnBoard:
    """What a relay means, with the board that it is on."""

    def __init__(self, port, meaning):
        self._board = quick_lcus(port)
        self._meaning = meaning(self._board)
        self.name = self._meaning.name
        self.check = self._meaning.check
        self.blind_spots = self._meaning.blind_spots

    def __getattr__(self, name):
        return getattr(self._meaning, name)

    @property
    def garbled(self):
        return self._board.garbled

    def close(self):
        self._meaning.close()
        self._board.close()


def quick_bench_board(port):
    with patch("strapline_hil.repl_board.PATIENCE_S", 2.5):  # for the REPL of a board that says nothing
        return BenchBoard(port, PICO, answer_limit_s=0.25)


def eight():
    return FakeLcus(channels=8)


KINDS = {
    "lcus": Kind(FakeLcus, quick_lcus, lambda relays: relays.set(1, True), "lcus"),
    "scpi": Kind(FakeScpi, quick_scpi, lambda supply: supply.set_mv(3700), "scpi"),
    "ppk2": Kind(FakePpk2, quick_ppk2, lambda meter: meter.power(on=True), "ppk2"),
    "strap": Kind(eight, lambda port: OnBoard(port, StrapRelay), lambda strap: strap.cut(), "lcus"),
    "bench-board": Kind(FakeBenchBoard, quick_bench_board, lambda board: board.set(1, True), "bench-board"),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def fake(kind):
    with kind.fake() as made:
        yield made


@pytest.fixture
def driver(kind, fake):
    made = kind.driver(fake.port)
    yield made
    made.close()
