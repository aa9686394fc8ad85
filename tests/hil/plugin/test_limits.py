"""The shipped limits, run as their user runs them."""

from xml.etree import ElementTree as ET


def test_alarm_and_heartbeats_are_within_the_limits(folder):
    with (folder.path / "rig.yaml").open("a", encoding="utf-8") as rig:
        rig.write("  sniffer: {driver: sniffer}\n")
    outcome = folder.run("-k", "cut or heartbeats", "--pyargs", "strapline_hil.limits")
    outcome.assert_outcomes(passed=2, deselected=2)
    told = [one.get("value") for one in ET.parse(folder.path / "j.xml").iter("property")]
    rows = [line.rsplit(" ", 1)[-1] for line in told if "limits" in line]
    assert sorted(rows) == ["R01", "R02", "R17", "R17", "R17"]
