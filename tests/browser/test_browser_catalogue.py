"""The catalogue in a real browser, from a file: 50,000 concepts, both languages, nothing asked of a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from watched_page import CONTRAST, Watched, started, watch

from dure.center.catalogue.entries import Entry
from dure.center.catalogue.page import PageRows, page_html

pytestmark = [pytest.mark.browser, pytest.mark.together]
CONCEPTS = 50_000


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with started() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every concept in one year of two places, hidden in the second; the first is named as no name should be."""
    rows = PageRows()
    for n in range(1, CONCEPTS + 1):
        name = "<img src=x onerror=alert(1)> 혈당" if n == 1 else f"Concept {n}"
        table = "measurement" if n % 2 else "drug_exposure"
        cells = ((0, 2024, 10 * n, 20 * n), (1, 2024, None, None))
        totals = ((0, 10 * n, 20 * n, 1), (1, None, None, 0))
        rows.add(Entry(table, n, name, 0, 10 * n, 20 * n, ((2024, 10 * n, 20 * n, 0),), totals, cells))
    places = [
        {"name": f"{name}병원", "consortium": "협력", "hospitals": 1, "as_of": "2026-01-31", "persons": None}
        for name in ("하늘", "바다")
    ]
    head = {"day": "2026-03-02", "threshold": 10, "round": 10, "sites": "named", "dates_shifted": True}
    path = tmp_path_factory.mktemp("catalogue") / "catalogue.html"
    path.write_bytes(page_html({**head, "vocabulary": "v5.0", "places": places}, rows))
    return path


@pytest.fixture
def seen(browser: playwright.Browser, file: Path) -> Iterator[Watched]:
    watched = Watched(browser.new_page(viewport={"width": 1280, "height": 900}))
    watch(watched, file)
    yield watched
    watched.page.close()
    assert (watched.said, watched.asked) == ([], [])


def listed(page: playwright.Page) -> list[str]:
    texts: list[str] = page.locator("#concepts tbody > tr > th").all_inner_texts()
    return texts


def test_it_lists_searches_filters_sorts_and_turns_pages(seen: Watched) -> None:
    page = seen.page
    assert len(listed(page)) == 50
    assert listed(page)[0] == "Concept 50000"
    page.locator("#next").click()
    assert listed(page)[0] == "Concept 49950"
    page.locator("#search").fill("concept 4999")
    assert len(listed(page)) == 15
    page.locator("#by-table").select_option("measurement")
    assert listed(page)[0] == "Concept 49999"
    page.locator("#search").fill("4999 nothing")
    assert page.locator("#shown").inner_text() == "맞는 개념이 없습니다."
    page.locator("button[type=reset]").click()
    page.locator("#sort").select_option("id")
    assert listed(page)[0] == "<img src=x onerror=alert(1)> 혈당"


def test_a_concept_opens_into_its_counts_and_hidden_ones_stay_so(seen: Watched) -> None:
    page = seen.page
    page.locator(".row").first.click()
    rows = page.locator(".detail tbody tr").all_inner_texts()
    assert [row.split() for row in rows] == [
        ["하늘병원", "500,000", "1,000,000", "≥", "500,000", "1,000,000"],
        ["바다병원", "–", "–", "–"],
        ["합계", "≥", "500,000", "≥", "1,000,000", "≥", "500,000", "≥", "1,000,000"],
    ]
    page.locator(".row").first.click()
    assert page.locator(".detail").count() == 0


def test_both_languages_and_narrow_screens(seen: Watched) -> None:
    page = seen.page
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator("h1").inner_text() == "데이터 카탈로그"
    page.locator("#language").click()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").inner_text() == "Data catalogue"
    assert page.locator("#shown").inner_text() == "1 to 50 of 50,000 concepts (50,000 in all)"
    assert "rounded to multiples of 10" in page.locator(".rules").inner_text()
    page.locator(".row").first.click()
    assert page.evaluate(CONTRAST) == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
