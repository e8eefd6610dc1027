"""A page of a thousand rows in a real browser: every value arrives, and a long table grows as it is scrolled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_page import browser, column, expect, expect_column, head, needs_browser, open_page, save, soon
from fake_records import CARDS, record, thousand

from bench.scoring import ScoringRule
from reports import latest
from reports.board import boards
from reports.html import page as page_text
from reports.known import Known
from reports.table import Entry
from reports.tables import track_table, tracks_in
from reports.text import fixed

pytestmark = needs_browser
__all__ = ["browser"]
NAMES = Known(cards=CARDS)
RECORDS = latest(thousand())
TABLES = {track: track_table(RECORDS, track, NAMES) for track in tracks_in(RECORDS)}


@pytest.fixture(scope="module")
def page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("large") / "index.html"
    scored = boards(RECORDS, ScoringRule(), NAMES)
    file.write_text(page_text(RECORDS, list(TABLES.values()), scored, ScoringRule(), NAMES), encoding="utf-8")
    made = open_page(browser, file)
    yield made
    made.context.close()


@pytest.mark.parametrize("track", list(TABLES))
def test_every_value_of_a_thousand_rows_arrives(page: Any, track: str) -> None:
    table = TABLES[track]
    page.evaluate("(tab) => { location.hash = `tab=${tab}`; }", track)
    expect(page.locator(f"#panel-{track}")).to_be_visible()
    expect(page.locator("#count")).to_have_text(f"{len(table.rows)} of {len(table.rows)} rows")
    columns = [shown for shown in table.columns if shown.shown]
    told = json.loads(save(page, "JSON"))
    assert [row["id"] for row in told] == [row.id for row in table.rows]
    for found, row in zip(told, table.rows, strict=True):
        assert list(found["values"]) == [shown.key for shown in columns]
        for shown in columns:
            entry, value = row.entries.get(shown.key, Entry()), found["values"][shown.key]
            assert _print(value["value"], shown.digits) == _print(entry.value, shown.digits)
            assert _print(value.get("spread"), shown.digits) == _print(entry.spread, shown.digits)
            assert value.get("note", "") == entry.note
    lines = save(page, "CSV").splitlines()
    assert len(lines) == 1 + len(table.rows)
    psnr = column(page, track, columns[4].title)
    first = [row.entries.get(columns[4].key, Entry()).value for row in table.rows]
    assert psnr == [_print(value, columns[4].digits) or "\N{EN DASH}" for value in first[: len(psnr)]]


def _print(value: float | str | None, digits: int) -> str:
    return fixed(value, digits) if isinstance(value, int | float) else value or ""


def test_the_thousandth_row_tells_where_it_comes_from(page: Any) -> None:
    last = TABLES["infer"].rows[-1]
    page.evaluate("(row) => { location.hash = `tab=infer&row=infer/${row}`; }", last.id)
    drawer = page.get_by_role("dialog")
    expect(drawer).to_contain_text(RECORDS[last.records[0]].provenance.fingerprint[:16])
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()


def test_a_long_table_grows_as_it_is_scrolled(browser: Any, tmp_path: Path) -> None:
    algos = [f"m{number}" for number in range(600)]
    made = latest([record("accuracy", a, "srresnet", 2, "set5", {"psnr_y": 30 + n / 100}) for n, a in enumerate(algos)])
    file = tmp_path / "index.html"
    file.write_text(page_text(made, [track_table(made, "accuracy", NAMES)], [], ScoringRule(), NAMES), encoding="utf-8")
    page = open_page(browser, file, "#tab=accuracy")
    rows = page.locator('[data-table="accuracy"] tbody tr')
    expect(rows).to_have_count(200)
    expect(page.locator("#count")).to_have_text("600 of 600 rows")
    page.evaluate("document.querySelector('[data-table=accuracy]').scrollTo(0, 1e6)")
    expect(rows).to_have_count(400)
    head(page, "accuracy", "PSNR").click()
    soon(page, lambda: column(page, "accuracy", "PSNR")[0], "35.99".__eq__)
    page.fill("#search", "m599")
    expect_column(page, "accuracy", "Method", ["m599"])
    page.fill("#search", "")
    soon(page, rows.count, lambda count: count >= 200)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(rows).to_have_count(600)
    page.context.close()
