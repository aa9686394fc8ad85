import os
import shutil
import signal
import subprocess
import sys

import pytest

from strapline_hil.rig.file import load_rig

STRAPLINE = [sys.executable, "-c", "from strapline_protocol.command import main; main()"]


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon on the PATH")
def test_a_desk_stands_until_it_is_told_to_end(tmp_path):
    process = subprocess.Popen(
        [*STRAPLINE, "hil", "desk", "desk"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout.readline().startswith("export DBUS_SYSTEM_BUS_ADDRESS=unix:path=")
        assert process.stdout.readline() == "pytest --rig desk/desk.yaml\n"
        rig = load_rig(tmp_path / "desk" / "desk.yaml")
        assert not rig.is_virtual
        assert os.path.exists(rig.instruments["supply"].port)  # noqa: PTH110 - a pty's name
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(60) == 0
