"""The entry point to pytest: options, marks and the names of the fixtures. All else is imported where `--rig` is given."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from strapline_hil.plugin.handles import Acting, BoardHandle, GatewayHandle, RigHandle, TagHandle
    from strapline_hil.rig.session import RigSession

NAME = "strapline-bench"
_NO_RIG = "no rig: pytest --rig rig.yaml; `strapline hil init --virtual rig.yaml` makes one"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Told by pytest."""
    group = parser.getgroup("strapline", "tests on a rig")
    group.addoption(
        "--rig", metavar="FILE", help="run on the rig that this file describes (or ini strapline_rig, or STRAPLINE_RIG)"
    )
    group.addoption(
        "--scenarios",
        metavar="WHICH",
        action="append",
        default=[],
        help="collect scenarios as tests: hil (all shipped ones for rigs), a name, a pattern, a file or a folder; may be repeated",
    )
    group.addoption(
        "--rig-out", metavar="FOLDER", default="out/rig", help="what is kept of each test (default: out/rig)"
    )
    group.addoption(
        "--rig-keep",
        choices=("failures", "all"),
        default="failures",
        help="of which tests it is kept (default: failures)",
    )
    group.addoption("--rig-report", metavar="FILE", help="write all that came of it there as one HTML page")
    group.addoption(
        "--rig-air",
        choices=("frames", "ble"),
        default="frames",
        help="what carries Bluetooth on a virtual rig (default: frames)",
    )
    group.addoption(
        "--rig-minutes",
        type=float,
        metavar="N",
        default=30.0,
        help="on a real rig a scenario that takes longer on the wall's clock is skipped (default: 30)",
    )
    parser.addini("strapline_rig", "the rig file, from this file's folder; --rig goes before it")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Told by pytest."""
    from strapline_hil.plugin import hooks

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Told by pytest."""
    config.addinivalue_line(
        "markers", "needs(*instruments): drivers or roles that a test needs; it is skipped on a rig without them"
    )
    given = rig_file(config)
    if given is None:
        if config.getoption("--scenarios") or config.getoption("--rig-report"):
            raise pytest.UsageError("--scenarios and --rig-report want a rig: add --rig FILE")
        return
    from strapline_hil.plugin.bench import open_bench

    config.pluginmanager.register(open_bench(config, given), NAME)


def rig_file(config: pytest.Config) -> Path | None:
    """By the option, the ini file or the environment, in this order."""
    option = config.getoption("--rig")
    if option:
        return Path(option)
    ini = config.getini("strapline_rig")
    if ini:
        return Path(config.inipath.parent if config.inipath else config.rootpath, str(ini))
    return Path(os.environ["STRAPLINE_RIG"]) if os.environ.get("STRAPLINE_RIG") else None


@pytest.fixture
def rig_session(request: pytest.FixtureRequest) -> "Iterator[RigSession]":
    """The rig with a tag that is worn and armed."""
    bench: Any = request.config.pluginmanager.get_plugin(NAME)
    if bench is None:
        pytest.skip(_NO_RIG)
    yield from bench.session(request.node)


@pytest.fixture
def rig(rig_session: "RigSession") -> "RigHandle":
    """The instruments by role: `rig.strap.cut()`."""
    from strapline_hil.plugin.handles import RigHandle

    return RigHandle(rig_session)


@pytest.fixture
def instrument(rig: "RigHandle") -> "Callable[[str], Acting]":
    """One instrument by its role or its driver: `instrument("heater")`."""
    return rig.instrument


@pytest.fixture
def board(rig_session: "RigSession") -> "BoardHandle":
    """The device under test as a board: its power, what it prints, what is on it."""
    from strapline_hil.plugin.handles import BoardHandle

    return BoardHandle(rig_session)


@pytest.fixture
def tag(rig_session: "RigSession") -> "TagHandle":
    """The device under test as a tag."""
    from strapline_hil.plugin.handles import TagHandle

    return TagHandle(rig_session)


@pytest.fixture
def gateway(request: pytest.FixtureRequest, rig_session: "RigSession") -> "GatewayHandle":
    """The base station at home, with the centre behind it."""
    from strapline_hil.plugin.handles import GatewayHandle

    bench: Any = request.config.pluginmanager.get_plugin(NAME)
    return GatewayHandle(rig_session, bench.run_of(request.node).missed)


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Callable[..., float]:
    """`measure(name, value, unit, low=, high=, row=)`: recorded; beyond its limits it fails the test at its end."""
    bench: Any = request.config.pluginmanager.get_plugin(NAME)
    if bench is None:
        pytest.skip(_NO_RIG)
    record: Callable[..., float] = bench.measure(request.node)
    return record
