"""Makes the pictures of README and docs anew from a real run: `.venv/bin/python scripts/pictures.py` (needs Chromium)."""

import io
import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich import _export_format
from rich.console import Console

from strapline_simulator.chaos import stampede_page
from strapline_simulator.energy.activity import count_activities
from strapline_simulator.energy.boards import figures
from strapline_simulator.energy.page import render_page
from strapline_simulator.energy.table import rows_of
from strapline_simulator.live import LiveView
from strapline_simulator.report import render_html
from strapline_simulator.scenario import load_scenario
from strapline_simulator.simulation import Options, run_scenario
from strapline_simulator.tools import find_browser

IMAGES = Path(__file__).parents[1] / "docs/images"
SCENARIO, BODY, BROKER = "night-and-day", "micropython", "amqtt"


def main() -> int:
    browser = find_browser()
    if browser is None:
        print("no Chromium on this machine: apt install chromium", file=sys.stderr)
        return 2
    console = Console(record=True, width=104, file=io.StringIO(), force_terminal=True, highlight=False)
    scenario = load_scenario(SCENARIO)
    with LiveView(scenario, BODY, BROKER, console) as view:
        view.introduce()
        result = run_scenario(scenario, Options(body=BODY, broker=BROKER, watch=view.show))
    view.conclude(result, [Path("out/demo/report.html"), Path("out/demo/report.json"), Path("out/demo/trace.pcapng")])
    activities = count_activities()  # not beside the browser, which has a loop of its own
    # Rich's template names web fonts on somebody's server; the reader's own monospace font will do.
    template = re.sub(r"@font-face \{\{.*?\}\}\n", "", _export_format.CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(IMAGES / "demo.svg"), title="make demo", code_format=template)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "report.html"
        page_file.write_text(render_html(result.report, result.story), encoding="utf-8")
        chromium = playwright.chromium.launch(
            executable_path=str(browser),
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        page = chromium.new_page(viewport={"width": 1180, "height": 1500}, device_scale_factor=1)
        page.goto(page_file.as_uri())
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "report.png", clip={"x": 0, "y": 0, "width": 1180, "height": 1500})
        energy_file = Path(folder) / "energy.html"
        given = figures()
        energy_file.write_text(render_page(rows_of(activities, given), given), encoding="utf-8")
        page.set_viewport_size({"width": 1120, "height": 1060})
        page.goto(energy_file.as_uri())
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "energy.png")
        stampede_file = Path(folder) / "stampede.html"
        stampede_file.write_text(stampede_page.render_page(), encoding="utf-8")
        page.set_viewport_size({"width": 1120, "height": 800})
        page.goto(stampede_file.as_uri())
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "stampede.png")
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
