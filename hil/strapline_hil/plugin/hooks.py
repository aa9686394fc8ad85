"""What a `conftest.py` may do otherwise."""

from typing import Any

import pytest


@pytest.hookspec(firstresult=True)
def pytest_strapline_open_rig(file: Any, item: pytest.Item) -> Any:
    """Give the `RigBody` of this rig file for one test: another build on the board, another instrument. None: as ever."""


@pytest.hookspec(firstresult=True)
def pytest_strapline_clocks() -> Any:
    """Give the host's `Clocks`, by which a host that slept is found. None: the host's own."""
