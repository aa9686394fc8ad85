"""The pytest plugin. It does nothing unless `--rig` is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from strapline_hil.plugin.handles import GatewayHandle, RigHandle, TagHandle
from strapline_hil.rig.file import RigFile, load_rig
from strapline_hil.rig.session import RigSession
from strapline_hil.rig.virtual import open_virtual
from strapline_protocol.errors import UserError

FILE = pytest.StashKey[RigFile]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Told by pytest."""
    parser.getgroup("strapline").addoption("--rig", metavar="FILE", help="run on the rig that this file describes")


def pytest_configure(config: pytest.Config) -> None:
    """Told by pytest."""
    config.addinivalue_line(
        "markers", "needs(*drivers): instruments that a test needs; it is skipped on a rig without them"
    )
    given = config.getoption("--rig")
    if given:
        try:
            config.stash[FILE] = load_rig(Path(given))
        except UserError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Told by pytest."""
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    file = item.config.stash.get(FILE, None)
    if not wanted or file is None:
        return
    lacking = sorted(set(wanted) - {part.driver for part in file.instruments.values()} - set(file.instruments))
    if lacking:
        pytest.skip(f"rig {file.rig} has no {', '.join(lacking)}")


@pytest.fixture
def rig_session(request: pytest.FixtureRequest) -> Iterator[RigSession]:
    """The rig with a tag that is worn and armed."""
    file = request.config.stash.get(FILE, None)
    if file is None:
        pytest.skip("no rig: pytest --rig rig.yaml; `strapline hil init --virtual rig.yaml` makes one")
    with RigSession(open_virtual(file)) as session:
        yield session


@pytest.fixture
def rig(rig_session: RigSession) -> RigHandle:
    """The instruments by role."""
    return RigHandle(rig_session)


@pytest.fixture
def tag(rig_session: RigSession) -> TagHandle:
    """The device under test."""
    return TagHandle(rig_session)


@pytest.fixture
def gateway(rig_session: RigSession) -> GatewayHandle:
    """The base station at home."""
    return GatewayHandle(rig_session)
