"""The report in a real browser, from a file, with every request that is not a file counted and refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from watched_page import CONTRAST, Watched, started, watch

import sample_checking as sample
import sample_validation
from dure.quality.evidence.data_docs import build_data_docs
from dure.quality.evidence.report.gathered import gathered
from dure.quality.evidence.report.page import report_html
from dure.quality.evidence.report.words import LANGUAGES, Language, Words

pytestmark = [pytest.mark.browser, pytest.mark.together]
WIDTHS = (360, 768, 1440)


@dataclass
class Opened(Watched):
    """The page of a checking, with its table of checks."""

    def rows(self) -> list[str]:
        texts: list[str] = self.page.locator("#checks tbody tr").all_inner_texts()
        return texts

    def cells(self, column: int) -> list[str]:
        texts: list[str] = self.page.locator(f"#checks tbody tr > :nth-child({column})").all_inner_texts()
        return [text.strip() for text in texts]


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with started() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[Language, Path]:
    reports = tmp_path_factory.mktemp("lake") / "reports" / "bada" / sample.SNAPSHOT
    sample.write_evidence_of_run(reports)
    sample.write_earlier(reports)
    written: dict[Language, Path] = {}
    for language in LANGUAGES:
        written[language] = reports / f"report.{language}.html"
        written[language].write_bytes(report_html(sample.checking(), gathered(reports), language))
    return written


def opened(browser: playwright.Browser, file: Path, width: int = 1440) -> Opened:
    seen = Opened(browser.new_page(viewport={"width": width, "height": 900}))
    watch(seen, file)
    return seen


@pytest.fixture
def english(browser: playwright.Browser, files: dict[Language, Path]) -> Iterator[Opened]:
    seen = opened(browser, files["en"])
    yield seen
    assert (seen.said, seen.asked) == ([], [])
    seen.page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_quietly_and_fits(
    browser: playwright.Browser, files: dict[Language, Path], language: Language, width: int
) -> None:
    seen, words = opened(browser, files[language], width), Words(language)
    page = seen.page
    assert page.title() == f"{words('title', site='bada')} · {sample.SNAPSHOT}"
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("#verdict h2").inner_text() == f"✕ {words('gate_closed')}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg[role=img]").count() == 6
    assert len(seen.rows()) == 4
    assert page.evaluate(CONTRAST) == []
    assert (seen.said, seen.asked) == ([], [])
    page.close()


def test_a_code_of_the_extract_runs_nothing(english: Opened) -> None:
    assert english.page.get_by_text(sample.HOSTILE, exact=True).count() == 1
    assert english.page.locator("img").count() == 0


def test_search_and_filters_choose_rows(english: Opened) -> None:
    page = english.page
    assert page.locator("#shown").inner_text() == "4 of 2,002 checks"
    page.get_by_label("Search").fill("year_of_birth high")
    assert [english.cells(column) for column in (1, 2, 3)] == [["not above the highest"], ["person"], ["year_of_birth"]]
    page.get_by_label("Search").fill("no such check")
    assert page.locator("#shown").inner_text() == "No check fits."
    page.get_by_role("button", name="Clear filters").click()
    page.locator("#shown", has_text="2,002 of 2,002 checks").wait_for()
    assert len(english.rows()) == 100
    page.get_by_role("button", name="Show more").click()
    assert len(english.rows()) == 600
    page.locator("#by-table").select_option("cost")
    page.locator("#by-severity").select_option("fatal")
    page.locator("#by-status").select_option("failed")
    assert page.locator("#shown").inner_text() == "1 of 2,002 checks"
    assert english.cells(2) == ["cost"]


def test_headings_sort_by_the_keyboard(english: Opened) -> None:
    page = english.page
    heading = page.get_by_role("button", name="Violated")
    heading.focus()
    page.keyboard.press("Enter")
    assert english.cells(6) == ["–", "3", "30", "900"]
    assert page.locator("th", has=heading).get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert english.cells(6) == ["900", "30", "3", "–"]
    assert page.locator("th", has=heading).get_attribute("aria-sort") == "descending"
    assert page.locator("th[aria-sort]:not([aria-sort=none])").count() == 1


def test_a_check_opens_to_what_it_means(english: Opened) -> None:
    page = english.page
    page.get_by_label("Search").fill(sample.CLOSING)
    page.locator("#checks summary").focus()
    page.keyboard.press("Enter")
    told = page.locator(".told").inner_text()
    assert sample.CLOSING in told and "Rows where a required field is empty, of all rows." in told
    assert "year_of_birth IS NULL" in told and "Usual causes and what to do" in told


def test_the_first_tab_leads_past_the_links(english: Opened) -> None:
    page = english.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    assert outline == "solid"
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_paper_shows_the_chosen_checks_and_no_controls(english: Opened) -> None:
    page = english.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not page.locator("#filters").is_visible() and not page.locator("nav").is_visible()
    assert page.locator("#verdict h2").is_visible()
    assert page.locator("details.data:not([open])").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.data:not([open])").count() > 0
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_without_scripts_the_reasons_still_stand(browser: playwright.Browser, files: dict[Language, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files["ko"].as_uri())
    assert page.get_by_text(sample.CLOSING).first.is_visible()
    assert page.get_by_text(Words("ko")("no_script")).is_visible()
    assert not page.locator("#checks").is_visible()
    context.close()


def test_data_docs_open_quietly_too(browser: playwright.Browser, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    build_data_docs(sample_validation.validated(), docs)
    page = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((docs / "index.html").as_uri())
    page.get_by_role("link", name="results").click()
    page.get_by_text("at most 5 % of its rows may be violated").wait_for()
    assert said == [] and [url for url in asked if not url.startswith(docs.as_uri())] == []
    page.close()
