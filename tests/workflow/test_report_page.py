"""The report in a real browser: no error, nothing missing, readable on wide and narrow screens."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from small_study import ROOT, Project, made_once, study_with

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

LANDSCAPES = study_with({"study": "page", "sharpness.landscape": {"points": 3, "line_points": 3}})
WIDTHS = (1280, 420)
SCALE = "(image) => image.getBoundingClientRect().width / image.naturalWidth"
# Neither error nor warning of ours: a browser without a GPU says how slowly it draws.
OF_THE_DRIVER = ("GL Driver Message", "willReadFrequently")


@dataclass
class Opened:
    """A page and everything that the browser complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.page.on("console", lambda message: self.note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.note("error", str(error)))
        self.page.on("requestfailed", lambda request: self.note("request", request.url[:80]))

    def note(self, kind: str, text: str) -> None:
        if kind not in ("log", "info") and not any(part in text for part in OF_THE_DRIVER):
            self.complaints.append(f"{kind}: {text}")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    def run(folder: Path) -> None:
        Project(ROOT, folder).finish(LANDSCAPES)

    return made_once(tmp_path_factory, "page", run) / "results" / "page" / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = subprocess.run([ROOT / "tests" / "browser.sh"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    # A sandbox needs rights that a container may lack; the page is our own.
    arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=WIDTHS)
def opened(request, browser: Browser, report: Path) -> Iterator[Opened]:
    page = browser.new_page(viewport={"width": request.param, "height": 900})
    opened = Opened(page)
    page.goto(report.as_uri())
    yield opened
    page.close()


def test_the_page_opens_without_a_complaint_and_asks_for_no_other_file(opened: Opened):
    asked = opened.page.evaluate("performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in asked if not name.startswith("data:")] == []
    assert opened.complaints == []


def test_every_figure_is_loaded_and_every_link_leads_somewhere(opened: Opened, report: Path):
    images = opened.page.evaluate(
        "[...document.querySelectorAll('figure img')].map((i) => i.complete && i.naturalWidth)"
    )
    assert len(images) >= 10
    assert all(images)
    links = opened.page.evaluate("[...document.links].map((a) => a.getAttribute('href'))")
    assert len(links) >= 5
    for link in links:
        if link.startswith("#"):
            assert opened.page.locator(f"[id='{link[1:]}']").count() == 1, link
        elif not link.startswith("data:text/csv;base64,"):
            assert (report.parent / link).is_file(), link[:60]


def test_nothing_but_tables_and_figures_is_wider_than_the_screen(opened: Opened):
    scrolled = opened.page.evaluate("document.documentElement.scrollWidth")
    assert scrolled <= opened.page.viewport_size["width"]
    sizes = opened.page.evaluate(
        "[...document.querySelectorAll('p, figcaption, td, th, li')]"
        ".map((e) => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


def test_figures_stay_in_boxes_that_scroll_and_are_enlarged_by_a_click(opened: Opened):
    boxes = opened.page.locator(".wide:has(button.figure)")
    ends = boxes.evaluate_all("(found) => found.map((b) => b.getBoundingClientRect().right)")
    figures = opened.page.locator("button.figure img")
    scales = figures.evaluate_all(f"(found) => found.map({SCALE})")
    assert len(ends) == len(scales) >= 10
    assert max(ends) <= opened.page.viewport_size["width"]
    assert min(scales) >= 0.7  # of 8 points
    figures.first.click()
    assert opened.page.locator("dialog[open] img").evaluate(SCALE) > max(scales)
    opened.page.keyboard.press("Escape")
    assert opened.page.locator("dialog[open]").count() == 0


def test_a_surface_is_drawn_when_it_is_looked_at(opened: Opened):
    assert opened.page.locator(".surface canvas").count() == 0
    opened.page.locator(".surface").first.scroll_into_view_if_needed()
    opened.page.locator(".surface canvas").first.wait_for(state="attached", timeout=120_000)
    assert opened.page.locator(".surface .updatemenu-header").count() == 1
    assert opened.complaints == []


def test_printing_opens_what_is_folded_and_keeps_to_the_paper(opened: Opened):
    opened.page.emulate_media(media="print")
    assert not opened.page.locator("nav").is_visible()
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate("[...document.querySelectorAll('details')].every((d) => d.open)")
    printed = opened.page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert len(printed) > 50_000
