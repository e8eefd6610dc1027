"""The page of invented records in a real browser, for the tests of its controls and its looks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fake_records import CARDS, realistic

from bench.records.store import Store
from bench.scoring import ScoringRule, score
from reports import build, latest

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long anything awaited may take: a busy machine is slow, and a page that is right ends the wait at once."""
expect = playwright.expect
expect.set_options(timeout=1000 * PATIENCE_S)

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(os.environ.get("BISRBENCH_AXE", Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"))
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOCAL = ("file:", "blob:")
RECORDS = latest(realistic())

needs_browser = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    store = Store(folder / "store")
    for made in RECORDS:
        store.write(made)
    return build([store.root], folder / "out", ["html"], CARDS)[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS, timeout=1000 * PATIENCE_S)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, page_file: Path) -> Iterator[Callable[..., Any]]:
    """Open the page with a given address; any script error, console error or request elsewhere fails the test."""
    contexts: list[Any] = []
    problems: list[str] = []

    def go(address: str = "", **context: Any) -> Any:
        page = open_page(browser, page_file, address, problems, **context)
        contexts.append(page.context)
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []


def soon(page: Any, read: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What ``read`` gives as soon as it ``holds``; fails with what it gave last."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds(found := read()):
        assert time.monotonic() < deadline, f"still {found!r} after {PATIENCE_S:g} s"
        page.wait_for_timeout(30)
    return found


def open_page(browser: Any, file: Path, address: str = "", problems: list[str] | None = None, **context: Any) -> Any:
    """The page of a file in a window of its own; what goes wrong on it is added to ``problems``."""
    told = [] if problems is None else problems
    page = browser.new_context(viewport={"width": 1400, "height": 900}, **context).new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda said: told.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: None if asked.url.startswith(LOCAL) else told.append(asked.url))
    page.goto(file.as_uri() + address)
    ready(page)
    return page


def save(page: Any, name: str) -> str:
    """The text of a download by the name of its button."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    assert waiting.value.suggested_filename.startswith("bisrbench-")
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def axe_findings(page: Any) -> list[str]:
    """What axe-core objects to in the page as it stands; skips the test where axe-core is not there."""
    if not AXE.exists():
        pytest.skip("no axe-core: npm install --no-save axe-core, or name its axe.min.js in BISRBENCH_AXE")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document).then((result) => result.violations)")
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def ready(page: Any) -> None:
    """Wait until a page has read its data and drawn itself."""
    expect(page.locator("html[data-ready]")).to_have_count(1)


def resize(page: Any, width: int, height: int) -> None:
    """Give the window a size and wait until the page knows."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("([width, height]) => innerWidth === width && innerHeight === height", arg=[width, height])


def column(page: Any, table: str, title: str) -> list[str]:
    """Texts of a column's visible cells, top to bottom."""
    return page.evaluate(
        """([table, title]) => {
            const host = document.querySelector(`[data-table="${table}"]`);
            const heads = [...host.querySelectorAll("thead tr:last-child th")];
            const place = heads.findIndex((head) => head.querySelector("button").firstChild.data === title);
            return [...host.querySelectorAll("tbody tr")].map((row) => {
                const cell = row.children[place].cloneNode(true);
                cell.querySelectorAll(".aside, .pub, .sr, .move, .bar").forEach((extra) => extra.remove());
                return cell.textContent.trim();
            });
        }""",
        [table, title],
    )


def expect_column(page: Any, table: str, title: str, wanted: list[str]) -> None:
    """A column comes to read as wanted."""
    soon(page, lambda: column(page, table, title), wanted.__eq__)


def expect_overall(page: Any, wanted: dict[str, str]) -> None:
    """The leaderboard comes to show these overall scores."""
    soon(page, lambda: overall(page), wanted.__eq__)


def expect_address(page: Any, part: str, there: bool = True) -> None:
    """The address comes to hold a part, or to be without it."""
    waits = expect(page).to_have_url if there else expect(page).not_to_have_url
    waits(re.compile(re.escape(part)))


def head(page: Any, table: str, title: str) -> Any:
    """The visible heading button of a column."""
    starts = re.compile(f"^{re.escape(title)}")
    return page.locator(f'[data-table="{table}"] thead button:visible', has_text=starts).first


def overall(page: Any) -> dict[str, str]:
    """Method -> overall score as shown, of the ranked and of those that are not."""
    found = {}
    for table in ("_score", "_rest"):
        for name, text in zip(column(page, table, "Method"), column(page, table, "Overall"), strict=True):
            assert name not in found, f"{name} stands twice"
            found[name] = text or "\N{EN DASH}"
    return found


def expected(rule: ScoringRule) -> dict[str, str]:
    names = {key: card.name for key, card in CARDS.items()}
    rows = score(RECORDS, rule).rows
    return {names[row.algo]: "\N{EN DASH}" if row.overall is None else f"{row.overall:.1f}" for row in rows}
