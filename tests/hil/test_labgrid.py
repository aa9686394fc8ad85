"""A board and its power through a real labgrid, where there is one; and one clear line where there is none."""

import importlib.util
import shlex
import sys

import pytest

from pty_board import PtyBoard
from strapline_hil.identity import ask_identity
from strapline_hil.labgrid import LabgridPlace
from strapline_hil.verdict import RigError

HAS_LABGRID = importlib.util.find_spec("labgrid") is not None
needs_labgrid = pytest.mark.skipif(
    not HAS_LABGRID, reason="no labgrid: it brings its own pyserial, so it gets its own environment"
)

ENVIRONMENT = """\
targets:
  main:
    resources:
      RawSerialPort:
        port: {port}
    drivers:
      SerialDriver: {{}}
      ExternalPowerDriver:
        cmd_on: {switch} on
        cmd_off: {switch} off
        delay: 0.0
  bare:
    resources: {{}}
    drivers: {{}}
  "off the bus":
    resources:
      RawSerialPort:
        port: /dev/no-such-port
    drivers:
      SerialDriver: {{}}
      ExternalPowerDriver:
        cmd_on: "false"
        cmd_off: "false"
"""


@pytest.fixture
def board(tmp_path):
    (tmp_path / "flash").mkdir()
    with PtyBoard(tmp_path / "flash") as made:
        yield made


@pytest.fixture
def environment(board, tmp_path):
    """What the power command was told is in the file `power`."""
    append = f"import sys; open({str(tmp_path / 'power')!r}, 'a').write(sys.argv[1] + ' ')"
    switch = f"{sys.executable} -c {shlex.quote(append)}"
    path = tmp_path / "environment.yaml"
    path.write_text(ENVIRONMENT.format(port=board.port, switch=switch))
    return path


@needs_labgrid
def test_the_console_carries_the_raw_repl(environment, board, tmp_path):
    with LabgridPlace(environment) as place:
        with place.board() as driver:
            assert ask_identity(driver).unique_id == board.unique_id.hex()
            driver.write("file", bytes(range(256)) * 4)
            driver.hard_reset()
            assert driver.run("print('again')", 5.0) == "again"
        with place.board() as driver:  # its console is opened and closed as often as one likes
            assert driver.tell("print(1)") == 1
    assert (tmp_path / "flash" / "file").read_bytes() == bytes(range(256)) * 4


@needs_labgrid
def test_the_power_is_switched(environment, tmp_path):
    with LabgridPlace(environment) as place:
        assert place.power.check() == []
        place.power.off()
        place.power.on()
        place.power.cycle()
    assert (tmp_path / "power").read_text() == "off on off on "


@needs_labgrid
def test_what_a_target_lacks_is_the_rigs_fault_in_one_line(environment):
    with LabgridPlace(environment, "bare") as place:
        with pytest.raises(RigError, match="has no console that opens") as refused:
            place.console()
        assert "power" in place.power.check()[0]
    with LabgridPlace(environment, "off the bus") as place:
        with pytest.raises(RigError, match="/dev/no-such-port"):
            place.console()
        with pytest.raises(RigError, match="its power does not go off"):
            place.power.off()
    assert "\n" not in str(refused.value)


@needs_labgrid
def test_a_mistake_in_the_environment_is_told(environment, tmp_path):
    with pytest.raises(RigError, match="no such target"):
        LabgridPlace(environment, "kitchen")
    environment.write_text("targets: [")
    with pytest.raises(RigError, match="no environment that labgrid takes") as refused:
        LabgridPlace(environment)
    assert "\n" not in str(refused.value)


def test_a_missing_environment_is_told(tmp_path):
    with pytest.raises(RigError, match="no such file; name a labgrid environment"):
        LabgridPlace(tmp_path / "environment.yaml")


@pytest.mark.skipif(HAS_LABGRID, reason="there is a labgrid")
def test_a_machine_without_labgrid_says_so(environment):
    with pytest.raises(RigError, match="there is no labgrid on this machine; pip install labgrid"):
        LabgridPlace(environment)
