"""The center's report in a real browser, from a file, with every request that is not a file counted and refused."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from playwright import sync_api as playwright
from watched_page import CONTRAST, Watched, started, watch

from dure.center.report.words import said
from dure.quality.evidence.report.words import LANGUAGES, Language

pytestmark = [pytest.mark.browser, pytest.mark.together]
WIDTHS = (360, 768, 1440)
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>"
GLUCOSE = 3004501


def hospitals() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "center" / "compared_hospitals.py"
    found = importlib.util.spec_from_file_location("compared_hospitals", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    sys.modules["compared_hospitals"] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with started() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hospitals that differ in codes, rates and units, one of them with a hostile name."""
    made, folder = hospitals(), tmp_path_factory.mktemp("center")
    for site, factor, unit in (("haneul", 1, 8840), ("bada", 10, 8840), ("gangsan", 1, 8753)):
        codes = [made.code("X1", made.ROOT if site == "bada" else made.CHILD, 40 * factor, description=HOSTILE)]
        codes += [made.code(f"C{n:03d}", made.CHILD if site == "bada" else made.SIBLING, 20 + n) for n in range(60)]
        made.hospital(
            folder / "store",
            site,
            [*codes, made.code("X2", made.STRANGER, 30), made.code("X3", 0, 20, domain_id="Drug")],
            sequence=1,
            score=0.9,
        )
        made.hospital(
            folder / "store",
            site,
            [*codes, made.code("X2", made.STRANGER, 30), made.code("X3", 0, 20, domain_id="Drug")],
            sequence=2,
            name=HOSTILE if site == "bada" else site,
            consortium="동부" if site == "haneul" else "서부",
            waived=["dure_residentnumber_note_note_text"],
            checks={"passed": 90, "failed": 5, "error": 5, "not applicable": 3},
            records=[
                ("condition_occurrence", made.ROOT, 2021, 50 * factor, 40 * factor),
                ("condition_occurrence", made.ROOT, 2022, 60, 5 if site == "bada" else 45),
                ("condition_occurrence", made.ROOT, 2023, 60, 50),
                ("drug_exposure", made.STRANGER, 2022, 60, 50),
            ],
            values=[(GLUCOSE, unit, 100, 50, 100, 40.0 * factor, 60.0 * factor, 90.0 * factor, 120.0 * factor, 300.0)],
        )
    made.report(folder / "store", folder / "out", made.vocabulary(folder / "vocabulary"))
    return Path(folder / "out" / "report.html")


def opened(browser: playwright.Browser, file: Path, width: int = 1440) -> Watched:
    seen = Watched(browser.new_page(viewport={"width": width, "height": 900}))
    watch(seen, file)
    return seen


def speak(page: playwright.Page, language: Language) -> None:
    page.locator(f"[data-language={language}]").click()


@pytest.fixture
def english(browser: playwright.Browser, page_file: Path) -> Iterator[playwright.Page]:
    seen = opened(browser, page_file)
    yield seen.page
    assert (seen.said, seen.asked) == ([], [])
    seen.page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_quietly_and_fits(
    browser: playwright.Browser, page_file: Path, language: Language, width: int
) -> None:
    seen = opened(browser, page_file, width)
    page = seen.page
    speak(page, language)
    assert page.title() == f"{said('title', language)} · 2024-05-01"
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("h1").inner_text() == said("title", language)
    assert page.get_by_role("navigation").get_attribute("aria-label") == said("contents", language)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for each in page.locator("details").all():
        each.evaluate("each => each.open = true")
    assert page.evaluate(CONTRAST) == []
    assert (seen.said, seen.asked) == ([], [])
    page.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_speaks_one_language_at_a_time(english: playwright.Page, language: Language) -> None:
    speak(english, language)
    other = next(each for each in LANGUAGES if each != language)
    assert english.locator(f"main .{other}:visible").count() == 0
    assert english.locator(f"main .{language}:visible").count() > 100
    assert english.locator("#differing-same option, select option.worded").first.inner_text() == said(
        "same.code", language
    )
    pressed = english.locator("[aria-pressed=true]").all_inner_texts()
    assert pressed == [{"en": "English", "ko": "한국어"}[language]]


def test_the_first_screen_says_who_how_good_and_who_disagrees(english: playwright.Page) -> None:
    tiles = english.locator(".tiles li").all_inner_texts()
    assert [tile.split("\n")[0] for tile in tiles] == ["3", "91", "98.0 %", "99.4 %", "32.7 %", "1"]
    assert english.locator(".tiles li").last.bounding_box()["y"] < 400
    for heading in ("disagree_pairs", "disagree_codes", "disagree_units"):
        at = english.locator("#overview").get_by_role("heading", name=said(heading, "en"), exact=True).bounding_box()
        assert at is not None and at["y"] < 900


def test_a_name_of_a_hospital_runs_nothing(english: playwright.Page) -> None:
    assert english.locator("img").count() == 0
    assert english.get_by_text(HOSTILE).count() > 3


def test_headings_sort_by_the_keyboard(english: playwright.Page) -> None:
    table = english.locator("#hospitals")
    heading = table.get_by_role("button", name=said("agrees", "en"))
    heading.focus()
    english.keyboard.press("Enter")
    assert table.locator("th[aria-sort=ascending]").count() == 1
    up = table.locator("tbody tr td:nth-child(6)").all_inner_texts()
    english.keyboard.press("Space")
    assert table.locator("th[aria-sort=descending]").count() == 1
    down = table.locator("tbody tr td:nth-child(6)").all_inner_texts()
    assert [float(text.split()[0]) for text in up] == sorted(float(text.split()[0]) for text in up)
    assert [float(text.split()[0]) for text in down] == sorted((float(text.split()[0]) for text in up), reverse=True)


def test_differences_are_searched_filtered_and_paged(english: playwright.Page) -> None:
    rows, form = english.locator("#differing tbody tr:visible"), english.locator("form[data-table=differing]")
    assert form.locator(".shown").inner_text() == "61 of 61" and rows.count() == 50
    english.locator("button.more[data-table=differing]").click()
    assert rows.count() == 61
    form.get_by_label(said("search", "en")).fill("c05 anemia")
    assert form.locator(".shown").inner_text() == "10 of 61" and rows.count() == 10
    form.locator("select").select_option("description")
    assert form.locator(".shown").inner_text() == "0 of 61"
    form.get_by_role("button", name=said("clear", "en")).click()
    playwright.expect(form.locator(".shown")).to_have_text("61 of 61")


def test_a_concept_opens_to_its_years_and_hides_small_cells(english: playwright.Page) -> None:
    english.locator("#concepts summary").first.focus()
    english.keyboard.press("Enter")
    told = english.locator("#concepts .told")
    told.first.wait_for()
    assert told.locator("thead th").all_inner_texts()[-3:] == ["2021", "2022", "2023"]
    cells = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in told.locator("tbody tr").all()
    }
    assert set(cells) == {"haneul", "bada", "gangsan"}
    assert cells["bada"][4] == said("hidden_cell", "en")
    assert sum(text == said("hidden_cell", "en") for texts in cells.values() for text in texts) == 4
    # What is open goes when the lines are sorted, and comes back at its own line.
    english.locator("#concepts thead button").nth(2).click()
    assert english.locator("#concepts .told").count() == 0
    english.locator("#concepts summary").last.click()
    english.locator("#concepts .told").first.wait_for()
    assert english.locator("#concepts .told").count() == 1


def test_values_are_drawn_by_hospital_and_unit(english: playwright.Page) -> None:
    assert english.locator("#boxes svg.box").count() == 3
    told = english.locator("#boxes tbody tr").all_inner_texts()
    assert any("bada" in line and "400 / 600 / 900 / 1200 / 300" in line for line in told)
    assert english.locator("#findings tbody tr").count() == 2


def test_paper_has_no_controls_and_opens_what_is_folded(english: playwright.Page) -> None:
    english.emulate_media(media="print")
    english.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not english.locator("nav").is_visible() and not english.locator(".languages").is_visible()
    assert english.locator("form:visible").count() == 0
    assert english.locator("details.data:not([open])").count() == 0
    assert english.locator("#differing tbody tr:visible").count() == 61
    english.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert english.locator("details.data:not([open])").count() > 0
    assert english.pdf(format="A4")[:5] == b"%PDF-"


def test_the_first_tab_leads_past_the_links(english: playwright.Page) -> None:
    english.keyboard.press("Tab")
    assert english.evaluate("document.activeElement.className") == "skip"
    english.keyboard.press("Enter")
    assert english.evaluate("document.activeElement.id") == "overview"


def test_without_scripts_every_list_still_stands(browser: playwright.Browser, page_file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.get_by_text(said("no_script", "en")).is_visible()
    assert page.locator("#differing tbody tr:visible").count() == 61
    assert page.locator("form:visible").count() == 0 and page.locator(".languages").is_hidden()
    context.close()


def test_an_empty_store_opens_quietly_too(browser: playwright.Browser, tmp_path: Path) -> None:
    hospitals().report(tmp_path / "store", tmp_path / "out")
    seen = opened(browser, tmp_path / "out" / "report.html")
    assert seen.page.get_by_text(said("empty", "en")).is_visible()
    speak(seen.page, "ko")
    assert seen.page.get_by_text(said("empty", "ko")).is_visible()
    assert (seen.said, seen.asked) == ([], [])
    seen.page.close()
