"""A rig file's mistakes: one line each, with the place and the mend."""

import pytest

from strapline_hil.rig.file import load_rig
from strapline_protocol.errors import UserError

GOOD = """\
rig: desk
target: {board: virtual-board}
resources:
  relays: {driver: lcus-relay, channels: 4}
  bench: {driver: bench-board}
instruments:
  strap: {driver: strap-relay, on: relays, channels: {open: 1}}
  contacts: {driver: contacts, on: relays, channels: {case_open: 2}}
  heat: {driver: heater, on: bench}
"""

BAD = {
    "no such key": ("rig: desk", "rigg: desk", 1, "is missing"),
    "unknown board": ("virtual-board", "arduino", 2, "'pico-w'"),
    "unknown driver": ("lcus-relay", "lucs-relay", 4, "'lcus-relay', 'bench-board'"),
    "more channels than there are": ("channels: 4", "channels: 40", 4, "less than or equal to 16"),
    "a role that no rig has": ("heat:", "heating:", 9, "choose one of strap"),
    "a driver that cannot be it": ("driver: contacts", "driver: ppk2", 8, "ppk2"),
    "no such resource": ("strap-relay, on: relays", "strap-relay, on: relay", 7, "choose one of relays, bench"),
    "a heater on relays": ("driver: heater, on: bench", "driver: heater, on: relays", 9, "relays is a lcus-relay"),
    "one channel twice": ("case_open: 2", "case_open: 1", 8, "channel 1 of relays is taken by strap: take another"),
    "no such channel": ("case_open: 2", "case_open: 5", 8, "it has 1 to 4"),
    "half of it real": ("channels: 4}", "channels: 4, port: /dev/ttyUSB0}", 4, "make all ports `virtual`, or none"),
    "real without keys": ("board: virtual-board", "board: pico-w, port: /dev/ttyACM0", 2, "strapline provision"),
    "one pin twice": (
        "driver: bench-board",
        "driver: bench-board, pins: {relays: {1: {pin: 4}, 2: {pin: 4}}}",
        5,
        "pin 4 is given twice",
    ),
    "a sense that is not there": (
        "channels: {open: 1}",
        "channels: {open: 1}, sense: relays",
        7,
        "needs a bench-board",
    ),
    "nobody to do it by hand": ("{driver: heater, on: bench}", "{driver: by-hand}", 9, "write heater"),
    "not YAML": ("target: {board", "target: [board", 2, "not YAML"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_mistake_is_one_line_with_place_and_mend(what, tmp_path):
    before, after, line, mend = BAD[what]
    assert before in GOOD
    path = tmp_path / "rig.yaml"
    path.write_text(GOOD.replace(before, after, 1), "utf-8")
    with pytest.raises(UserError) as refused:
        load_rig(path)
    words = str(refused.value)
    assert words.startswith(f"{path}:{line}: "), words
    assert mend in words
    assert "\n" not in words


def test_its_instruments_stand_for_drivers_and_roles(tmp_path):
    path = tmp_path / "rig.yaml"
    decade = "strap: {driver: strap-decade, on: bench, base_ohm: 300, steps: {2: 700}}"
    path.write_text(GOOD.replace(GOOD.splitlines()[6].strip(), decade), "utf-8")
    file = load_rig(path)
    assert {"strap", "strap-decade", "strap-relay", "heat", "heater", "contacts"} == file.drivers


def test_usb_serial_numbers_and_urls_are_ports(tmp_path):
    path = tmp_path / "rig.yaml"
    real = GOOD.replace("virtual-board", "pico-w, port: E6614103E7452D2F, keys: here")
    real = real.replace("channels: 4", "channels: 4, port: 'rfc2217://desk:2217'").replace(
        "bench-board}", "bench-board, port: 2A7C}"
    )
    path.write_text(real, "utf-8")
    file = load_rig(path)
    assert not file.is_virtual
    assert file.resources["relays"].port == "rfc2217://desk:2217"
