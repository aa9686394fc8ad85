"""The current over a test: kept small, and nothing of it lost."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strapline_hil.instruments.protocols import Sample
from strapline_hil.plugin.drawing import current_words, power
from strapline_hil.plugin.power import PowerCurve
from strapline_hil.verdict import RigError

times = st.lists(st.floats(0, 1e5), min_size=1, max_size=300)


@given(times)
def test_bins_keep_charge_and_peaks_however_long_it_lasts(moments):
    curve = PowerCurve(width_s=0.01)
    for number, t_s in enumerate(moments):
        curve.add(t_s, float(number))
    bins = curve.bins()
    assert [one.t_s for one in bins] == sorted({one.t_s for one in bins})
    assert max(one.peak_micro_a for one in bins) == len(moments) - 1
    assert all(one.mean_micro_a <= one.peak_micro_a for one in bins)


def test_a_long_test_has_wider_bins_and_the_same_mean():
    curve = PowerCurve(width_s=0.01)
    for tick in range(100_000):
        curve.add(tick * 0.01, 10.0 if tick % 2 else 30.0)
    bins = curve.bins()
    assert len(bins) <= 2000
    assert [one.mean_micro_a for one in bins] == pytest.approx([20.0] * len(bins), rel=0.02)
    assert bins[-1].t_s > 990


def test_no_number_is_no_sample():
    curve = PowerCurve()
    curve.add(1.0, math.nan)
    assert curve.bins() == []
    assert power([]) is None


class Meter:
    """Gives a sample at each reading, until its cable is out."""

    def __init__(self, lasts):
        self.lasts, self.begun = lasts, False

    def start(self):
        self.begun = True

    def read(self):
        self.lasts -= 1
        if self.lasts < 0:
            raise RigError("meter at /dev/ttyACM1", "is gone", "put its cable back")
        return [Sample(float(self.lasts), 12.0)]


def test_a_meter_that_goes_is_told_of_and_leaves_what_it_measured():
    async def pause(_seconds):
        await asyncio.sleep(0)

    curve = PowerCurve()
    curve.begin(Meter(lasts=3), virtual=False)
    asyncio.run(curve.watch(None, pause))
    curve.finish()
    assert str(curve.error) == "meter at /dev/ttyACM1: is gone; put its cable back"
    assert len(curve.bins()) == 3
    assert curve.csv().splitlines()[:2] == ["t_s,mean_ua,peak_ua", "0,12.000,12.000"]


def test_the_drawing_says_what_it_shows():
    drawn = power([(0.0, 100.0, 100.0), (10.0, 300.0, 2500.0)])
    assert (
        drawn["words"]
        == "200\N{NO-BREAK SPACE}µA on average, 2.5\N{NO-BREAK SPACE}mA at most, over 10.0\N{NO-BREAK SPACE}s."
    )
    assert drawn["peaks"].startswith("M2.0 ")


@pytest.mark.parametrize(("micro_a", "words"), [(3.14159, "3.14 µA"), (999.4, "999 µA"), (14820.0, "14.8 mA")])
def test_current_in_words(micro_a, words):
    assert current_words(micro_a).replace("\N{NO-BREAK SPACE}", " ") == words
