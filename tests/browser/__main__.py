"""Open every page of the built site in Chromium: ``python -m tests.browser SITE [PICTURES]``.

Told are: text whose contrast with what is behind it is below 4.5:1 (in light and dark), pages that
scroll sideways at 390 and at 1280 pixels, errors on the console, formulas that take no room or are
not typeset, and pictures of text whose columns run together. With PICTURES, a folder, each page is
photographed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

WIDTHS = (390, 1280)
CONTRAST = 4.5
LOW_CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
EMPTY_FORMULAS = """[...document.querySelectorAll("article math")]
  .filter(each => !each.getBoundingClientRect().width).length"""
RAW_LATEX = Path(__file__).with_name("raw_latex.js").read_text(encoding="utf-8")
# How far each letter of a line stands from where a terminal's column has it.
ASTRAY = """() => [...document.querySelectorAll("text[textLength]")].map(each => {
  const letters = each.getNumberOfChars();
  const column = each.textLength.baseVal.value / letters;
  const begins = each.x.baseVal[0].value;
  const astray = [...Array(letters).keys()].map(
    at => Math.abs(each.getStartPositionOfChar(at).x - begins - at * column) / column);
  return [each.textContent, letters ? Math.max(...astray) : 0];
})"""


def faults(browser: Browser, path: Path, pictures: Path | None) -> Iterator[str]:
    """Yield what is wrong with a page, in light and dark."""
    for theme in ("light", "dark"):
        context = browser.new_context(color_scheme=theme)
        for fault in _faults(context.new_page(), path, theme, pictures):
            yield f"{fault} ({theme})"
        context.close()


def _faults(page: Page, path: Path, theme: str, pictures: Path | None) -> Iterator[str]:
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.resolve().as_uri())
        page.wait_for_load_state()
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if beyond > 0:
            yield f"scrolls sideways by {beyond} pixels at {width}"
        if pictures is not None:
            page.screenshot(path=pictures / f"{path.stem}-{theme}-{width}.png")
    yield from page.evaluate(LOW_CONTRAST, CONTRAST)
    if empty := page.evaluate(EMPTY_FORMULAS):
        yield f"{empty} formulas take no room"
    if raw := page.evaluate(RAW_LATEX):
        yield f"LaTeX as text: {raw}"
    yield from (f"on the console: {text}" for text in dict.fromkeys(said))


def picture_faults(page: Page, path: Path) -> Iterator[str]:
    """Yield the lines of a drawn text whose letters are not in their columns."""
    page.goto(path.resolve().as_uri())
    for text, columns in page.evaluate(ASTRAY):
        if columns > 0.25:
            yield f"{text.strip()!r} is up to {columns:.1f} columns astray"


def main() -> int:
    """Check the site that is named; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("pictures", type=Path, nargs="?")
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    pages = sorted(options.site.glob("**/*.html"))
    drawn = sorted(options.site.glob("_images/*.svg"))
    wrong = 0
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        # As root it runs without its sandbox only; the pages are our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for path in pages:
            for fault in faults(browser, path, options.pictures):
                wrong += 1
                print(f"{path.relative_to(options.site)}: {fault}")
        page = browser.new_page()
        for path in drawn:
            for fault in picture_faults(page, path):
                wrong += 1
                print(f"{path.relative_to(options.site)}: {fault}")
        browser.close()
    print(f"{len(pages)} pages and {len(drawn)} pictures in Chromium, {wrong} faults")
    return bool(wrong or not pages)


if __name__ == "__main__":
    sys.exit(main())
