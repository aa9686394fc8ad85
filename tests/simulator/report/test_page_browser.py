"""The page in a real browser: it draws, it stays within a phone's width, and it asks nobody for anything."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from strapline_simulator.report import Report, Story, render_html

FIGURES = ("timeline", "curves", "sketch", "latencies")
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

Open = Callable[..., Page]

# Two texts overlap when their boxes share more than a sliver.
OVERLAPS = """() => [...document.querySelectorAll('.plot')].flatMap((plot) => {
  const texts = [...plot.querySelectorAll('.annotation-text, .xtick text, .ytick text, .y2tick text')];
  const boxes = texts.map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, box]) => box.width);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1.5 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 3.5
  ).map(([b]) => a + ' | ' + b));
})"""


@pytest.fixture
def open_page(browser: Browser, report: Report, story: Story, tmp_path: Path) -> Iterator[Open]:
    """Opens the sample's page from a file; afterwards, fails on any request, error or message on the console."""
    path = tmp_path / "report.html"
    path.write_text(render_html(report, story), encoding="utf-8")
    noise: list[str] = []
    contexts = []

    def opened(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: noise.append(request.url))
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.goto(path.as_uri())
        expect(page.locator("html[data-ready=yes]")).to_be_attached(timeout=30_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert set(noise) == {path.as_uri()}


@pytest.mark.parametrize(
    "options", [DESKTOP, PHONE, {**DESKTOP, "color_scheme": "dark"}], ids=["desktop", "phone", "dark"]
)
def test_every_drawing_is_there_and_no_text_covers_another(open_page: Open, options: dict[str, Any]) -> None:
    page = open_page(**options)
    expect(page.get_by_text("PASSED", exact=True)).to_be_in_viewport()
    for name in FIGURES:
        box = page.locator(f"#plot-{name} svg.main-svg").first.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80
    assert page.locator("#plot-timeline .scatterlayer path.point").count() > 100
    assert page.evaluate(OVERLAPS) == []


def test_a_phone_needs_no_sideways_scrolling(open_page: Open) -> None:
    page = open_page(**PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = "[...document.querySelectorAll('main *')].filter((e) => !e.closest('svg') && e.getBoundingClientRect().right > 390.5).length"
    assert page.evaluate(wide) == 0


def test_the_axis_tells_the_local_time_of_day(open_page: Open) -> None:
    page = open_page(**DESKTOP)
    ticks = page.locator("#plot-timeline .xtick text").all_text_contents()
    assert ticks[:2] == ["00:00Tue 13 Jan", "02:00"]
    places = page.evaluate("""() => {
      const middle = (box) => box.left + box.width / 2;
      const tick = [...document.querySelectorAll('#plot-timeline .xtick text')].find((text) => text.textContent === '08:00');
      const mark = document.querySelectorAll('#plot-timeline .scatterlayer .trace')[0].querySelectorAll('path.point')[2];
      return [middle(tick.getBoundingClientRect()), middle(mark.getBoundingClientRect())];
    }""")
    assert places[0] == pytest.approx(places[1], abs=1.5)  # arrives at work at 08:00


def test_a_change_of_the_clocks_leaves_the_hour_out(open_page: Open) -> None:
    page = open_page(**DESKTOP)
    ticks = page.evaluate("""() => {
      page.offsets = [[0, 3600], [7200, 7200]];
      page.startEpochS = Date.UTC(2026, 2, 28, 23) / 1000;
      return timeTicks(0, 4 * 3600, 400).ticktext;
    }""")
    assert ticks == ["00:00<br>Sun 29 Mar", "00:30", "01:00", "01:30", "03:00", "03:30", "04:00", "04:30", "05:00"]


def test_a_legend_entry_hides_and_shows_its_marks(open_page: Open) -> None:
    page = open_page(**DESKTOP)
    button = page.locator('[data-figure="timeline"][data-group="alarm"]')
    labels = page.locator("#plot-timeline .annotation-text", has_text="Strap open")
    before = page.locator("#plot-timeline .scatterlayer .trace").count()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(labels).to_have_count(0)
    expect(page.locator("#plot-timeline .scatterlayer .trace")).to_have_count(before - 1)
    button.click()
    expect(labels).to_have_count(1)


def test_zooming_one_drawing_zooms_the_other_and_a_double_click_undoes_it(open_page: Open) -> None:
    page = open_page(**DESKTOP)
    timeline = page.locator("#plot-timeline")
    timeline.scroll_into_view_if_needed()
    box = timeline.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 600, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, y, steps=4)
    page.mouse.move(box["x"] + 800, y, steps=4)
    page.mouse.up()
    first_tick = page.locator("#plot-curves .xtick text").first
    expect(first_tick).to_contain_text("13:30")
    page.mouse.dblclick(box["x"] + 500, y)
    expect(first_tick).to_contain_text("00:00")


def test_a_metre_is_as_long_to_the_north_as_to_the_east(open_page: Open) -> None:
    page = open_page(**DESKTOP)
    scales = page.evaluate("""() => {
      const { xaxis, yaxis } = document.getElementById('plot-sketch')._fullLayout;
      return [xaxis, yaxis].map((axis) => axis._length / (axis.range[1] - axis.range[0]));
    }""")
    assert scales[0] == pytest.approx(scales[1], rel=1e-3)


def test_it_prints_light_and_within_the_sheet(open_page: Open) -> None:
    page = open_page(**DESKTOP, color_scheme="dark")
    page.evaluate("""() => {
      window.addEventListener('beforeprint', () => {
        const style = getComputedStyle(document.documentElement);
        window.printed = [style.getPropertyValue('--paper').trim(), document.querySelector('#plot-timeline svg').clientWidth];
      });
    }""")
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")
    assert page.evaluate("window.printed") == ["#ffffff", 800]
