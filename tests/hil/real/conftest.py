import os
import shutil

import pytest

from strapline_hil.rig.file import load_rig
from strapline_hil.rig.real.dut import open_real
from strapline_hil.rig.real.session import RealSession
from strapline_hil.rig.real.stand_in import StandInDesk
from strapline_simulator.board.body import compile_product

QUICK = {"heartbeat_shortest_ms": 300, "heartbeat_longest_ms": 600}


@pytest.fixture(scope="package")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk") / "program"
    compile_product(folder)
    return folder


@pytest.fixture
def desk(tmp_path, program, monkeypatch):
    """A desk without hardware, and its adapter on this process's D-Bus."""
    if shutil.which("dbus-daemon") is None:
        reason = "no dbus-daemon on the PATH; install it (Debian: apt install dbus-daemon)"
        if os.environ.get("STRAPLINE_REQUIRE_DBUS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with StandInDesk(tmp_path, QUICK, program) as desk:
        for name, value in desk.environment.items():
            monkeypatch.setenv(name, value)
        yield desk


@pytest.fixture
def open_session(desk):
    """The desk's rig as a real one is opened."""
    sessions = []

    def opened(**options):
        session = RealSession(open_real(load_rig(desk.rig), desk.person), **options)
        sessions.append(session)
        return session.__enter__()

    yield opened
    for session in sessions:
        session.close()
