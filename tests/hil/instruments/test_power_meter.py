"""The Power Profiler Kit: its calibration, its samples, the time, and samples that are missing."""

from time import monotonic

import pytest

from instrument_bench import closing, real_port
from strapline_hil.instruments.fakes.ppk2 import FakePpk2
from strapline_hil.instruments.ppk2_meter import Ppk2Meter
from strapline_hil.verdict import RigError


class World:
    """What flows, and what time it is."""

    def __init__(self):
        self.micro_a, self.now_s = 0.0, 100.0


@pytest.fixture
def world():
    return World()


@pytest.fixture
def fake(world):
    with FakePpk2(lambda: world.micro_a) as fake:
        yield fake


def meter_at(fake, world, **options):
    return Ppk2Meter(fake.port, **{"samples_per_s": 1000, "clock": lambda: world.now_s, "timeout_s": 1.0, **options})


@pytest.fixture
def meter(fake, world):
    with closing(meter_at(fake, world)) as meter:
        yield meter


def pass_time(fake, world, duration_s):
    fake.pass_time(duration_s)
    world.now_s += duration_s


def read(meter, count):
    """So many samples: a busy machine may hand them over in parts."""
    samples = []
    deadline = monotonic() + 20
    while len(samples) < count and monotonic() < deadline:
        samples += meter.read()
    return samples


@pytest.mark.parametrize("micro_a", [0.5, 3.2, 45, 120, 480, 2_000, 8_500, 49_000, 120_000, 900_000])
def test_in_each_range_what_flows_is_what_is_read(meter, fake, world, micro_a):
    world.micro_a = micro_a
    meter.start()
    pass_time(fake, world, 0.02)
    measured = [sample.micro_a for sample in read(meter, 21)]
    assert measured == pytest.approx([micro_a] * 21, rel=0.02, abs=0.05)


def test_samples_carry_the_time_of_the_rig(meter, fake, world):
    meter.start()
    pass_time(fake, world, 0.5)
    world.micro_a = 10_000
    pass_time(fake, world, 0.5)
    samples = read(meter, 1001)
    assert samples[0].t_s == pytest.approx(100.0)
    assert samples[-1].t_s == pytest.approx(101.0)
    assert next(sample.t_s for sample in samples if sample.micro_a > 5000) == pytest.approx(100.501)


def test_tenths_of_a_sample_add_up(meter, fake, world):
    meter.start()
    for _ in range(1000):
        fake.pass_time(0.0001)
    assert len(read(meter, 101)) == 101
    assert meter.lost == 0


def test_a_coarser_resolution_is_a_mean(fake, world):
    with closing(meter_at(fake, world, resolution_s=0.01)) as meter:
        world.micro_a = 1000
        meter.start()
        fake.pass_time(0.004)
        world.micro_a = 3000
        fake.pass_time(0.005)
        (sample,) = read(meter, 1)
        assert sample.micro_a == pytest.approx(2000, rel=0.02)


def test_when_it_is_stopped_the_rest_is_still_read(meter, fake, world):
    meter.start()
    fake.pass_time(0.05)
    meter.stop()
    fake.pass_time(0.05)
    assert len(meter.read()) == 51
    assert meter.read() == []


def test_torn_at_its_end_it_ends_all_the_same(meter, fake, world):
    meter.start()
    meter.read()
    fake.faults.add("torn")
    fake.pass_time(0.1)
    meter.stop()
    fake.faults.clear()
    fake.pass_time(0.1)
    assert len(meter.read()) < 10
    assert meter.check() == []


def test_it_starts_anew(meter, fake, world):
    meter.start()
    pass_time(fake, world, 0.05)
    meter.start()
    assert len(read(meter, 1)) == 1
    assert meter.read() == []


def test_samples_that_are_missing_are_counted_and_take_their_time(meter, fake, world):
    meter.start()
    fake.faults.add("lossy")
    pass_time(fake, world, 0.64)
    samples = meter.read()
    assert meter.lost == 641 - len(samples)
    assert meter.lost == 100
    assert samples[-1].t_s == pytest.approx(100.64, abs=0.002)


def test_bytes_that_are_missing_are_the_rigs_failure_if_they_go_on(meter, fake, world):
    meter.start()
    fake.faults.add("torn")
    for _ in range(2):
        fake.pass_time(0.1)
        meter.read()
    fake.pass_time(0.1)
    with pytest.raises(RigError, match="its samples are garbled"):
        meter.read()
    assert meter.garbled == 3


def test_once_torn_it_goes_on(meter, fake, world):
    world.micro_a = 100
    meter.start()
    meter.read()
    fake.faults.add("torn")
    pass_time(fake, world, 0.1)
    fake.faults.clear()
    assert [sample for sample in meter.read() if abs(sample.micro_a - 100) > 5] == []
    pass_time(fake, world, 0.1)
    assert [sample.micro_a for sample in read(meter, 100)][:100] == pytest.approx([100] * 100, rel=0.02)
    assert meter.garbled == 1


def test_where_nobody_read_for_long_the_time_goes_on_from_now(meter, world):
    meter.start()
    world.now_s += 60
    meter.read()
    assert meter.lost == pytest.approx(60_000, abs=2)


def test_as_a_source_it_feeds_the_tag_until_its_end(world):
    power = []
    with FakePpk2(on_power=lambda *given: power.append(given)) as fake:
        with closing(meter_at(fake, world, mode="source", milli_v=3300)) as meter:
            assert power[-1] == (True, 3300)
            meter.power(on=False)
            assert power[-1] == (False, 3300)
            meter.power(on=True)
            meter.start()
            with pytest.raises(RigError, match="stop it first"):
                meter.power(on=False)
        fake.call(lambda: None)
        assert power[-1] == (False, 3300)


def test_a_check_keeps_what_was_not_read(meter, fake, world):
    meter.start()
    fake.pass_time(0.05)
    assert meter.check() == []
    meter.stop()
    assert meter.check() == []
    assert len(meter.read()) == 51


def test_the_real_rate_can_be_kept_up_with():
    """A tenth of a second as a real kit sends it."""
    with FakePpk2(lambda: 42.0, samples_per_s=100_000) as fake, closing(Ppk2Meter(fake.port)) as meter:
        meter.start()
        fake.pass_time(0.1)
        samples = read(meter, 100)
        assert [sample.micro_a for sample in samples] == pytest.approx([42.0] * 100, rel=0.02)
        assert (meter.lost, meter.garbled) == (0, 0)


def test_a_real_kit_measures_something():
    with closing(Ppk2Meter(real_port("ppk2"))) as meter:
        meter.start()
        assert meter.read()
        meter.stop()
        assert meter.garbled == 0
