"""What the gateway finds: adapters of a made-up kernel, and the libraries of this one."""

from pathlib import Path

from strapline_gateway.diagnosis import adapter, findings


def test_adapters_are_listed_and_connections_are_not(tmp_path: Path) -> None:
    for entry in ("hci1", "hci0", "hci0:11"):
        (tmp_path / entry).mkdir()
    found = adapter(tmp_path, "linux")
    assert found.present
    assert found.detail == "hci0, hci1"
    assert found.mend == ""


def test_no_adapter_says_that_none_is_needed(tmp_path: Path) -> None:
    found = adapter(tmp_path / "no bluetooth in this kernel", "linux")
    assert not found.present
    assert "simulated" in found.mend


def test_other_systems_are_not_guessed_at(tmp_path: Path) -> None:
    assert not adapter(tmp_path, "darwin").present


def test_the_libraries_of_the_extra_are_here() -> None:
    found = {finding.name: finding for finding in findings()}
    assert found["bleak"].present
    assert found["paho-mqtt"].present
