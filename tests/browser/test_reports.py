"""The reports in a real browser: from a file, with no network."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.capture import CaptureRecord
from scones.monitoring import Watched, monitor_page, summarise
from scones.monitoring.watch.findings import findings
from scones.monitoring.watch.records import Stance
from scones.monitoring.watch.rules import Rules
from scones.page import Chart, Gallery, Picture, Section, charts, render_page
from tests.monitoring.looks import drifted, look, standing

CHROMIUM = Path("/usr/bin/chromium")
START = datetime(2026, 11, 20, 10, 14, 51, tzinfo=UTC)

# Every canvas below an element, in shadow roots too, with how many of its pixels are painted.
PAINTED = """element => {
  const found = [];
  const walk = node => {
    for (const child of node.querySelectorAll("*")) {
      if (child instanceof HTMLCanvasElement && child.width && child.height) {
        const data = child.getContext("2d").getImageData(0, 0, child.width, child.height).data;
        let painted = 0;
        for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
        found.push(painted);
      }
      if (child.shadowRoot) walk(child.shadowRoot);
    }
  };
  walk(element);
  return Math.max(0, ...found);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page opened from a file while offline, and all that it complained about or asked for."""

    def __init__(self, browser: Any, html: str, folder: Path, *, width: int = 1280, dark: bool = False) -> None:
        file = folder / "page.html"
        file.write_text(html, encoding="utf-8")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        self.page = context.new_page()
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        if self.page.locator(".chart").count():
            self.wait_until_drawn()

    def wait_until_drawn(self, rounds: int = 1) -> None:
        """Wait until all charts were drawn so many times, and until Bokeh has painted them in the frames after."""
        self.page.locator(f'html[data-drawn="{rounds}"]').wait_for(state="attached")
        for _ in range(200):
            if all(chart.evaluate(PAINTED) > 500 for chart in self.page.locator(".chart").all()):
                return
            self.page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
        raise AssertionError("a chart stays empty")

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def addresses(self) -> list[str]:
        """What was asked for, the page itself and pictures inside it apart."""
        return [
            url for url in self.requests if not url.startswith(("data:", "blob:")) and not url.endswith("/page.html")
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width


@pytest.fixture
def monitor_html(png_bytes: Callable[..., bytes]) -> str:
    attributes = {"model_version": "v1", "threshold": "0.8", "labels": "bicycle,motorcycle"}
    return monitor_page(
        summarise(
            CaptureRecord(
                f"e{number}", f"order-{number}", START + timedelta(seconds=number // 20),
                (0.5 + number / 400, 0.5 - number / 400), "image/png", png_bytes(), attributes,
            )
            for number in range(200)
        )
    )  # fmt: skip


@pytest.fixture
def evaluation_html(tiny_bundle: Callable[..., bytes], png_bytes: Callable[..., bytes]) -> str:
    from scones.bundle import read_bundle
    from scones.training.evaluation import measure
    from scones.training.report import evaluation_page

    rng = np.random.default_rng(0)
    first = rng.beta(0.4, 0.4, 200).astype(np.float32)
    truth = (rng.random(200) > first).astype(np.int64)
    keys = [f"pictures/{number}.png" for number in range(200)]
    figures = measure(read_bundle(tiny_bundle())[0], np.stack([first, 1 - first], axis=1), truth, keys)
    damaged = {
        "name": "blur", "group": "damage", "setting": "radius 3 %", "accuracy": 0.7, "accuracy_interval": [0.6, 0.8],
        "coverage": 0.4, "accepted": 80, "wrong": 20, "risk": 0.25,
    }  # fmt: skip
    evaluation = {
        **figures,
        "title": "Bicycle or motorcycle",
        "dataset": {"version": "d", "source": {"kind": "folder"}, "counts": {"test": {"bicycle": 100}}},
        "robustness": {"n": 150, "seed": 0, "plain": damaged, "conditions": [damaged]},
    }
    return evaluation_page(evaluation, [png_bytes()] * len(figures["mistakes"]), [png_bytes()])


@pytest.fixture
def comparison_html(png_bytes: Callable[..., bytes]) -> str:
    from scones.training.report import comparison_page

    sides = {
        side: {
            "version": side, "backbone": "small", "accuracy": 0.9, "accuracy_interval": [0.85, 0.95], "coverage": 0.7,
            "risk": 0.01,
        }
        for side in ("first", "second")
    }  # fmt: skip
    row = {"key": "1.png", "truth": "a", "first": {"label": "a", "confidence": 0.9},
           "second": {"label": "b", "confidence": 0.6}}  # fmt: skip
    comparison = {
        **sides, "task": "t", "labels": ["a", "b"], "dataset": "d", "n": 200, "only_first_right": 1,
        "only_second_right": 1, "difference": 0.0, "difference_interval": [-0.02, 0.02], "p_value": 1.0,
        "verdict": "no difference shown", "pictures": [row],
        "per_class": [{"label": "a", "n": 200, "first_right": 180, "second_right": 180}],
    }  # fmt: skip
    return comparison_page(comparison, {"1.png": png_bytes()})


@pytest.fixture
def watch_html(png_bytes: Callable[..., bytes]) -> str:
    looks = [*(look(minute) for minute in range(1, 21)), *(drifted(minute, began=20) for minute in range(22, 40))]
    seen = Watched(
        looks, [standing(Stance.CAUTIOUS, 23, threshold=0.97)], findings(looks[-1], Rules()),
        [Picture(png_bytes(), "bicycle", name="event-1")], [png_bytes()] * 3,
    )  # fmt: skip
    return monitor_page(summarise([]), watched=seen)


@pytest.mark.parametrize("name", ["monitor_html", "watch_html", "evaluation_html", "comparison_html"])
@pytest.mark.parametrize("screen", [(1280, False), (390, True)], ids=["desk", "phone-in-the-dark"])
def test_a_report_opens_offline_and_draws_all_its_charts_and_pictures(
    browser: Any, tmp_path: Path, request: pytest.FixtureRequest, name: str, screen: tuple[int, bool]
) -> None:
    width, dark = screen
    opened = Opened(browser, request.getfixturevalue(name), tmp_path, width=width, dark=dark)
    assert opened.complaints == []
    assert opened.addresses() == []
    assert opened.page.locator(".chart").count() >= 2
    for box in [chart.bounding_box() for chart in opened.page.locator(".chart").all()]:
        assert box["width"] > 250
        assert box["height"] > 150
    assert opened.overflow() <= 0
    picture = opened.page.locator(".gallery img").first
    assert picture.evaluate("image => [image.naturalWidth, getComputedStyle(image).imageRendering]") == [
        32,
        "pixelated",
    ]
    assert picture.bounding_box()["width"] > 80


def test_charts_are_drawn_again_when_the_reader_turns_to_the_dark(
    browser: Any, tmp_path: Path, evaluation_html: str
) -> None:
    opened = Opened(browser, evaluation_html, tmp_path)
    before = opened.page.screenshot()
    opened.page.emulate_media(color_scheme="dark")
    opened.wait_until_drawn(2)
    assert opened.complaints == []
    assert opened.page.screenshot() != before


def test_a_chart_over_time_can_be_dragged_along(browser: Any, tmp_path: Path, watch_html: str) -> None:
    opened = Opened(browser, watch_html, tmp_path)
    chart = opened.page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag() -> bytes:
        opened.page.mouse.move(x, y)
        opened.page.mouse.down()
        opened.page.mouse.move(x - 200, y, steps=5)
        opened.page.mouse.up()
        opened.page.mouse.move(1, 1)
        for _ in range(5):
            opened.page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
        return bytes(chart.locator("canvas").first.evaluate("canvas => canvas.toDataURL()").encode())

    before = drag()  # no tool is on yet
    chart.locator('[title="Pan (x-axis)"]').click()
    assert drag() != before
    assert opened.complaints == []


def test_hostile_text_runs_no_script_and_asks_for_no_formula_renderer(browser: Any, tmp_path: Path) -> None:
    bad = "<img src=x onerror=\"document.title='broken'\"> $$\\frac{1}{2}$$"
    heat = charts.heat_map([bad, "b"], [[1, 2], [3, 4]], row_label=bad, column_label=bad)
    section = Section(bad, [Chart(bad, heat), Gallery(bad, [Picture(None, bad, name=bad)])])
    opened = Opened(browser, render_page("Safe", [section], lead=bad), tmp_path)
    opened.page.locator(".chart").hover()
    opened.page.locator(".chart").click()
    assert opened.page.title() == "Safe"
    assert opened.addresses() == []
    assert opened.complaints == []


def test_the_policy_stops_a_script_that_got_in_all_the_same(browser: Any, tmp_path: Path) -> None:
    page = render_page("Safe", []).replace("</main>", "<script>document.title = 'broken'</script></main>")
    opened = Opened(browser, page, tmp_path)
    assert opened.page.title() == "Safe"
    assert any("Content Security Policy" in text for text in opened.complaints)
