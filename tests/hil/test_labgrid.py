"""A board and its power through a real labgrid, where there is one; and one clear line where there is none."""

import importlib.util
import shlex
import sys

import pytest

from pty_board import PtyBoard
from strapline_hil.board_at import board_at
from strapline_hil.board_kinds import Wanted
from strapline_hil.flashing import APP_FILE, flash_board
from strapline_hil.identity import ask_identity
from strapline_hil.labgrid import LabgridPlace, address_from
from strapline_hil.rig.drivers import open_instruments
from strapline_hil.rig.file import load_rig
from strapline_hil.rig.real.dut import on_a_desk
from strapline_hil.rig.walk.board import look_at_board
from strapline_hil.serial_body import serial_body
from strapline_hil.verdict import RigError
from strapline_protocol.errors import UserError
from strapline_simulator.bodies import BODIES
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario

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


RIG = """\
rig: in labgrid
target: {{board: pico-w, port: "labgrid://environment.yaml", keys: keys}}
instruments:
  mains: {{driver: labgrid-power, place: "{place}"}}
  hand: {{driver: by-hand}}
"""


def rig_file(environment, place="labgrid://environment.yaml"):
    path = environment.parent / "rig.yaml"
    path.write_text(RIG.format(place=place))
    return path


@needs_labgrid
def test_an_address_of_a_place_is_a_board_like_any_other(environment, board):
    with board_at(f"labgrid://{environment}") as found:
        assert ask_identity(found).unique_id == board.unique_id.hex()
    with board_at(f"labgrid://{environment}#main") as found:
        assert found.tell("print(7)") == 7
    with pytest.raises(RigError, match="no such target"), board_at(f"labgrid://{environment}#kitchen"):
        pass


@needs_labgrid
def test_a_scenario_runs_on_a_board_in_a_place(environment, monkeypatch):
    monkeypatch.setitem(BODIES, "place", lambda: serial_body(f"labgrid://{environment}"))
    scenario = load_scenario("strap-cut")
    on_board, model = (run_scenario(scenario, Options(body=body)) for body in ("place", "model"))
    assert on_board.passed
    assert on_board.report.frames_digest == model.report.frames_digest


@needs_labgrid
def test_a_board_in_a_place_is_flashed_and_read_back(environment, tmp_path):
    identity = flash_board(f"labgrid://{environment}", Wanted("virtual-board"), b"image" * 900, "print('begun')\n")
    assert "MicroPython" in str(identity)
    assert (tmp_path / "flash" / APP_FILE).read_bytes() == b"image" * 900


@needs_labgrid
def test_a_rig_file_names_places_from_its_own_folder(environment, tmp_path):
    file = load_rig(rig_file(environment))
    step = look_at_board(file)
    assert "pico-w" in "".join(step.wrong)  # it answers, and a pty is no Pico
    opened = open_instruments(file, on_a_desk(file, print))
    mains = opened.instruments["mains"]
    assert mains.check() == []
    assert len(mains.blind_spots()) == 1
    mains.off()
    assert (tmp_path / "power").read_text() == "off "
    mains.close()
    assert (tmp_path / "power").read_text() == "off on "  # left with power


@needs_labgrid
def test_a_plug_that_labgrid_cannot_switch_is_told_before_anything_is_tried(environment):
    file = load_rig(rig_file(environment, "labgrid://environment.yaml#bare"))
    mains = open_instruments(file, on_a_desk(file, print)).instruments["mains"]
    assert "no power that can be switched" in mains.check()[0]
    with pytest.raises(RigError, match="its power does not go off"):
        mains.off()
    mains.close()


def test_a_place_that_is_no_address_is_a_mistake_in_the_rig_file(environment):
    with pytest.raises(UserError, match=r"rig.yaml:4: instruments.mains") as told:
        load_rig(rig_file(environment, "environment.yaml"))
    assert "\n" not in str(told.value)


def test_a_virtual_rig_has_no_places(tmp_path):
    path = tmp_path / "rig.yaml"
    path.write_text(
        "rig: v\ntarget: {board: virtual-board}\n"
        "instruments:\n  mains: {driver: labgrid-power, place: 'labgrid://environment.yaml'}\n"
    )
    with pytest.raises(UserError, match=r"rig.yaml:4: .*labgrid has no place at a virtual rig: write mains-relay"):
        load_rig(path)


def test_only_the_environment_of_a_place_is_looked_for_in_the_rigs_folder(tmp_path):
    assert address_from(tmp_path, "labgrid://a/b.yaml#c") == f"labgrid://{tmp_path}/a/b.yaml#c"
    assert address_from(tmp_path, "labgrid:///etc/b.yaml") == "labgrid:///etc/b.yaml"
    assert address_from(tmp_path, "/dev/ttyACM0") == "/dev/ttyACM0"


def test_a_missing_environment_is_told(tmp_path):
    with pytest.raises(RigError, match="no such file; name a labgrid environment"):
        LabgridPlace(tmp_path / "environment.yaml")


@pytest.mark.skipif(HAS_LABGRID, reason="there is a labgrid")
def test_a_machine_without_labgrid_says_so(environment):
    with pytest.raises(RigError, match="there is no labgrid on this machine; pip install labgrid"):
        LabgridPlace(environment)
