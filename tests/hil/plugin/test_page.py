"""The page in a real browser: on a desk, on a phone, in the dark; nothing is fetched, and nothing is wider than the screen."""

import pytest
from playwright.sync_api import sync_playwright

from strapline_hil.plugin.measurement import Measurement
from strapline_hil.plugin.page import render_page
from strapline_hil.rig.file import RigFile
from strapline_simulator.tools import find_browser

FILE = RigFile(rig="<desk>", target={"board": "virtual-board"})
PASSED = {
    "name": "scenarios::strap-cut",
    "title": "The strap is cut at home",
    "outcome": "passed",
    "duration_s": 1.05,
    "verdict": "",
    "why": "",
    "folder": "",
    "files": [],
    "failure": "",
    "expectations": [{"text": "event strap_open within 4 s of cut_strap", "passed": True, "latency_s": 0.11}],
    "measurements": [],
    "happenings": [[10.0, "world", "the key is held to the tag"], [600.1, "alert", "Tag 1: strap open"]],
    "further_happenings": 3,
    "serial_log": "",
    "power": [[0.0, 120.0, 15000.0], [60.0, 110.0, 14000.0]],
    "power_error": "",
}
FAILED = {
    **PASSED,
    "name": "test_mine.py::test_a_very_long_name_of_a_test_that_somebody_has_given_it[with-parameters-of-its-own]",
    "outcome": "failed",
    "verdict": "rig",
    "why": "supply: <sagging>: told 3700 mV, it gives 2960 mV",
    "failure": "E   AssertionError: " + "x" * 300,
    "serial_log": "Traceback (most recent call last):\n  ENODEV\n" * 30,
    "measurements": [Measurement("strap latency", 3.2, "s", None, 3.0, "R03").as_json()],
    "power": [],
    "folder": "out/rig/test_mine.test_a",
    "files": ["serial.log"],
}
SKIPPED = {**PASSED, "name": "test_mine.py::test_skipped", "outcome": "skipped", "expectations": [], "happenings": []}


def test_words_and_verdicts():
    page = render_page(FILE, [PASSED, FAILED, SKIPPED])
    assert "1 of 2 tests did not pass: 1 rig." in page
    assert "&lt;sagging&gt;" in page
    assert "<desk>" not in page
    assert "All 1 tests passed." not in page
    assert "NOT JUDGED" in render_page(FILE, [SKIPPED])
    assert "PASSED" in render_page(FILE, [PASSED])


@pytest.mark.parametrize(
    "options",
    [
        {"viewport": {"width": 1180, "height": 900}},
        {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "color_scheme": "dark"},
    ],
    ids=["desk", "phone"],
)
def test_in_a_browser(options, tmp_path):
    browser = find_browser()
    if browser is None:
        pytest.skip("no Chromium on this machine")
    path = tmp_path / "page.html"
    path.write_text(render_page(FILE, [PASSED, FAILED, SKIPPED]), encoding="utf-8")
    asked = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser), args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_context(**options).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: asked.append(message.text))
        page.goto(path.as_uri())
        assert page.locator("details[open]").count() == 1
        page.locator("summary", has_text="strap-cut").click()
        assert page.locator("#t1 .curve svg").bounding_box()["height"] > 100
        assert page.locator("#t1 .lanes svg").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") == options["viewport"]["width"]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        chromium.close()
    assert asked == [path.as_uri()]
    assert (ground == "rgb(255, 255, 255)") is ("color_scheme" not in options)
