"""A virtual rig with everything on it."""

from functools import partial
from importlib.resources import files

import pytest

from strapline_hil.rig.file import load_rig
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_simulator.board.body import VirtualBoard, compile_product


@pytest.fixture(scope="session")
def make_board(tmp_path_factory):
    folder = tmp_path_factory.mktemp("product")
    compile_product(folder)
    return partial(VirtualBoard, folder)


@pytest.fixture
def rig_path(tmp_path):
    """As `strapline hil init --virtual` writes it."""
    path = tmp_path / "rig.yaml"
    path.write_text((files("strapline_hil.rig") / "templates" / "virtual.yaml").read_text("utf-8"), "utf-8")
    return path


@pytest.fixture
def open_rig(rig_path, make_board):
    """Opens the rig; whoever calls it closes it."""
    return lambda: open_virtual(load_rig(rig_path), make_board)
