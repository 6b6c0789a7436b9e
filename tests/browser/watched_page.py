"""A page in a real browser, from a file, with every request that is not that file counted and refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright import sync_api as playwright

# Contrast of every visible text with what it stands on, by WCAG's formula; texts in drawings stand on the page.
CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => { const s = v / 255; return s <= .04045 ? s / 12.92 : ((s + .055) / 1.055) ** 2.4; });
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const parsed = (text) => text.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parsed(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length || ["SCRIPT", "STYLE", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = parsed(element.closest("svg") ? style.fill : style.color).slice(0, 3);
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) low.push([element.tagName, element.textContent.slice(0, 40), ratio]);
  }
  return low;
}"""


@dataclass
class Watched:
    """A page with what it did that it should not have: said on the console, thrown, asked of a network."""

    page: playwright.Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def started() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


def watch(seen: Watched, file: Path) -> None:
    """Opens the file in the page."""
    page = seen.page
    page.on("console", lambda message: seen.said.append(message.text))
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("dialog", lambda dialog: seen.said.append(dialog.message))

    def ask(route: playwright.Route) -> None:
        if route.request.url == file.as_uri():
            route.continue_()
        else:
            seen.asked.append(route.request.url)
            route.abort()

    page.route("**/*", ask)
    page.goto(file.as_uri())
