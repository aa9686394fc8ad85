"""The rows of the requirements that a rig measures from outside. Each figure stands in the report beside its limits."""

from collections.abc import Callable

import pytest

from strapline_hil.limits.reckoning import heartbeat_intervals, longest_gap_s, mean_micro_a
from strapline_hil.plugin.handles import GatewayHandle, RigHandle
from strapline_simulator.energy.boards import figures

Measure = Callable[..., None]

CUTS = 10
_UNEVEN_S = 7.3
"""Between two cuts, so that they meet the tag at any moment of its sleep."""

_ROUND_S = 90.0
_LISTEN_S = 300.0
_BEACON_S = 4 * 3600.0
_MEASURE_S = 600.0


def _most_micro_a() -> float:
    """R22: what empties the cell in the hours that a tag with a receiver must last."""
    known = figures()
    return known.cell.capacity_mah * known.cell.usable / (known.profiles["one-piece"].goal_h or 72.0) * 1000


@pytest.mark.needs("strap")
def test_a_cut_is_stamped_and_told(rig: RigHandle, gateway: GatewayHandle, measure: Measure) -> None:
    """R01: stamped within 1 s. R02: at the centre within 2 s, on a live link."""
    told, stamped = [], []
    rig.sleep(_ROUND_S)  # until nobody is connected with the tag any more: the alarm has to find its way
    for _ in range(CUTS):
        rig.sleep(_UNEVEN_S)
        cut_s = rig.now_s
        rig.strap.cut()
        record = gateway.wait_for("strap_open", within_s=180)
        assert record is not None, "the tag has not told of the cut"
        told.append(record.at_s - cut_s)
        stamped.append(abs(record.t_s - cut_s))
        rig.strap.mend()
        assert gateway.wait_for("strap_closed", within_s=180) is not None, (
            "the tag has not told that the strap is closed"
        )
        rig.sleep(_ROUND_S)
    measure("strap alarm at the centre, slowest of 10", max(told), "s", high=2.0, row="R02")
    measure("strap alarm's stamp, worst of 10", max(stamped), "s", high=1.0, row="R01")


@pytest.mark.needs("sniffer")
def test_heartbeats_come_at_random_between_one_and_ten_seconds(rig: RigHandle, measure: Measure) -> None:
    """R17, heard from outside. After anything that happens they come faster for a while, so that is waited for."""
    rig.sleep(_ROUND_S)
    rig.sniffer.heard()
    rig.sleep(_LISTEN_S)
    found = heartbeat_intervals(rig.sniffer.heard())
    assert found is not None, "the sniffer has heard no three heartbeats"
    # A tenth may be shorter: what follows a call of the base station. One that the air loses makes two intervals look like one.
    measure("heartbeat interval, a tenth is shorter", found.low_s, "s", low=0.9, row="R17")
    measure("heartbeat interval, mean", found.mean_s, "s", low=1.0, high=10.0, row="R17")
    measure("heartbeat interval, a tenth is longer", found.high_s, "s", high=12.0, row="R17")


def test_a_beacon_comes_every_four_hours(rig: RigHandle, gateway: GatewayHandle, measure: Measure) -> None:
    """R11: at home nothing else is said, and a beacon each 4 h."""
    rig.sleep(2 * _BEACON_S + 900)
    beacons = [record.at_s for record in gateway.told if record.code == "beacon"]
    assert len(beacons) >= 2, f"{len(beacons)} beacons in eight hours"
    measure("between two beacons, longest", longest_gap_s(beacons) / 3600, "h", low=3.9, high=4.1, row="R11")


@pytest.mark.needs("meter")
def test_what_it_draws_in_each_state(rig: RigHandle, gateway: GatewayHandle, measure: Measure) -> None:
    """R22: what a cell of 1,000 mAh gives for 72 h."""
    rig.sleep(_ROUND_S)
    rig.meter.start()
    rig.sleep(_MEASURE_S)
    measure("current at home", mean_micro_a(rig.meter.read()), "µA", high=_most_micro_a(), row="R22")
    if rig.has("strap"):
        rig.strap.cut()
        assert gateway.wait_for("strap_open", within_s=180) is not None, "the tag has not told of the cut"
        rig.meter.read()
        rig.sleep(_MEASURE_S)
        measure("current in violation", mean_micro_a(rig.meter.read()), "µA", row="R22")
    rig.meter.stop()
