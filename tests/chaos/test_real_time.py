"""Two of the runs in real time that `make chaos` has thirty of."""

import os
import shutil

import pytest

from strapline_simulator.chaos.real_time import run_real

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None
    and "STRAPLINE_REQUIRE_MOSQUITTO" not in os.environ,
    reason="mosquitto is not installed",
)


@pytest.mark.parametrize("number", [0, 1])
def test_what_a_real_broker_drops_comes_again(number):
    result = run_real(number)
    assert not result.wrong, result.summary()
    assert result.kills >= 2
