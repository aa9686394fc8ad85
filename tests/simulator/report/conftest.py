"""The sample run, and a real browser to look at its page."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from simulator.report import sample_evening
from strapline_simulator.report import Report, Story

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture
def report() -> Report:
    return sample_evening.report()


@pytest.fixture
def failed_report() -> Report:
    return sample_evening.report(passed=False)


@pytest.fixture
def story() -> Story:
    return sample_evening.story()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless; a skip without one, a failure where STRAPLINE_REQUIRE_BROWSER=1.

    For one module at a time: while playwright runs, nothing else in the process can start an event loop.
    """
    path = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = f"no browser is installed: looked for {', '.join(_BROWSERS)}"
        if os.environ.get("STRAPLINE_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield browser
        browser.close()
