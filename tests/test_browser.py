"""The page in a real browser: tabs, sorting, search, filters, columns, scores and their weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_page import (
    RECORDS,
    browser,
    column,
    expect,
    expect_address,
    expect_column,
    expect_overall,
    expected,
    head,
    needs_browser,
    open_page,
    page_file,
    soon,
    visit,
)  # fmt: skip
from fake_records import CARDS, MACHINE, record

from bench.records.store import Store
from bench.scoring import PARTS, ScoringRule, score
from reports import build

pytestmark = needs_browser
__all__ = ["browser", "page_file", "visit"]


def test_tabs_by_mouse_and_keys(visit: Callable[..., Any]) -> None:
    page = visit()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Leaderboard")
    page.get_by_role("tab", name="Measured inference").click()
    expect(page.locator("#panel-infer")).to_be_visible()
    expect(page.locator("#panel-_score")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#panel-comp")).to_be_visible()
    page.keyboard.press("Home")
    expect(page.locator("#panel-_score")).to_be_visible()


def test_headings_point_towards_better_values(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    for title, arrow in (("Latency", "\N{DOWNWARDS ARROW}"), ("Speed-up", "\N{UPWARDS ARROW}"), ("Parity", "")):
        assert head(page, "infer", title).locator("[aria-hidden]").inner_text().strip() == arrow


def test_sorting_puts_missing_last_both_ways(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    button = head(page, "infer", "Latency")
    for way, sign in (("ascending", 1), ("descending", -1)):
        button.click()
        expect(page.locator('[data-table="infer"] th[aria-sort]')).to_have_attribute("aria-sort", way)
        found = column(page, "infer", "Latency")
        numbers = [float(text) for text in found if text != "\N{EN DASH}"]
        assert numbers == sorted(numbers, key=lambda value: sign * value)
        assert len(numbers) == 22 and found[-2:] == ["\N{EN DASH}"] * 2
    button.click()
    expect(page.locator("[aria-sort]")).to_have_count(0)


def test_search_and_filters(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("frb")
    expect_column(page, "accuracy", "Method", ["FRB", "FRB"])
    expect(page.locator("#count")).to_have_text("2 of 26 rows")
    page.fill("#search", "")
    page.get_by_role("button", name="\N{MULTIPLICATION SIGN}4").click()
    page.get_by_role("button", name="low-bit").click()
    soon(page, lambda: sorted(column(page, "accuracy", "Method")), ["PAMS", "QuantSR"].__eq__)
    assert set(column(page, "accuracy", "Scale")) == {"4"}
    page.get_by_role("button", name="1/1").click()
    expect(page.locator(".empty:visible")).to_have_text(re.compile("^Nothing matches"))


def test_columns_can_be_shown_and_hidden(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    expect(head(page, "infer", "Backbone")).to_be_visible()
    expect(head(page, "infer", "Body")).to_have_count(0)
    page.locator("#columns summary").click()
    page.get_by_label("Body (ms)").check()
    page.get_by_label("Backbone").uncheck()
    expect(head(page, "infer", "Body")).to_be_visible()
    expect(head(page, "infer", "Backbone")).to_have_count(0)
    expect_address(page, "show=infer%7Ebody_ms")


def test_the_page_scores_as_python_does(visit: Callable[..., Any]) -> None:
    page = visit()
    expect_overall(page, expected(ScoringRule()))
    page.get_by_role("button", name="Deployment").click()
    preset = ScoringRule().weight_presets["deployment"]
    expect_overall(page, expected(ScoringRule(weights=preset)))
    ranked = [row.algo for row in score(RECORDS, ScoringRule(weights=preset)).rows if row.rank]
    shown = [name for name, place in zip(*(column(page, "_score", t) for t in ("Method", "Rank")), strict=True)
             if place != "\N{EN DASH}"]  # fmt: skip
    assert shown == [CARDS[algo].name for algo in ranked]


def test_references_stand_as_lines_at_their_place(visit: Callable[..., Any]) -> None:
    page = visit()
    rows = score(RECORDS).rows
    full = next(row for row in rows if row.algo == "fp32")
    better = [CARDS[row.algo].name for row in rows if row.rank and row.overall > full.overall]
    names = column(page, "_score", "Method")
    assert set(names[: names.index("Full precision")]) == set(better)
    assert page.locator('[data-table="_score"] tr.ref').count() == 2
    page.evaluate("location.hash = 'tab=accuracy&scale=4'")
    expect(page.locator("#panel-accuracy")).to_be_visible()
    values = [float(text) for text in column(page, "accuracy", "PSNR") if text != "\N{EN DASH}"]
    assert values == sorted(values, reverse=True) and len(values) > 8


def test_who_is_not_ranked_stands_apart_with_the_reason(visit: Callable[..., Any]) -> None:
    page = visit()
    rows = score(RECORDS).rows
    wanted = {CARDS[row.algo].name for row in rows if row.rank is None and not row.reference}
    assert wanted and set(column(page, "_rest", "Method")) == wanted
    assert all(text.startswith(("lacks OM", "no weights")) for text in column(page, "_rest", "Why not ranked"))
    assert "\N{EN DASH}" not in "".join(column(page, "_rest", "OM task"))
    expect(page.locator(".worth")).to_contain_text("training")


def test_a_slider_ranks_anew_and_the_address_keeps_it(visit: Callable[..., Any]) -> None:
    page = visit()
    before = column(page, "_score", "Method")
    page.get_by_role("slider", name="OM speed & size").focus()
    page.keyboard.press("End")
    weights = {part.key: 1.0 for part in PARTS} | {"infer": 5.0}
    expect_overall(page, expected(ScoringRule(weights=weights)))
    assert column(page, "_score", "Method") != before
    expect(page.locator(".move").first).to_be_visible()
    expect_address(page, "w=")
    again = visit("#" + page.url.partition("#")[2])
    expect_overall(again, expected(ScoringRule(weights=weights)))
    again.get_by_role("button", name="Reset").click()
    expect_column(again, "_score", "Method", before)
    expect(page.get_by_role("slider", name="OM arch")).to_be_disabled()


def test_scopes_score_a_part_of_the_records(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("#scope").select_option("x4")
    rows = score([record for record in RECORDS if record.cell.scale == 4]).rows
    wanted = {CARDS[row.algo].name: "\N{EN DASH}" if row.overall is None else f"{row.overall:.1f}" for row in rows}
    expect_overall(page, wanted)
    expect(page.locator('figure[data-scope="x4"]')).to_be_visible()
    expect_address(page, "scope=x4")


def test_filters_by_machine_threads_and_training(browser: Any, tmp_path: Path) -> None:
    other = MACHINE.model_copy(update={"id": "other-8c-111111"})
    store = Store(tmp_path / "store")
    for machine, slow in ((MACHINE, 1.0), (other, 9.0)):
        values = {"latency_ms": 10.0 * slow, "speedup": 2.0, "parity_max_abs": 0.0}
        store.write(record("infer", "frb", "srresnet", 2, "96x54-t1", values, machine=machine))
    for algo, budget in (("frb", "board-1000x8x24"), ("bnn", "own-9x9x9")):
        store.write(record("accuracy", algo, "srresnet", 2, "set5", {"psnr_y": 30.0}, flags=[budget]))
    (file,) = build([store.root], tmp_path / "out", ["html"], CARDS)
    page = open_page(browser, file, "#tab=infer")
    expect(head(page, "infer", "Machine")).to_be_visible()
    assert len(column(page, "infer", "Method")) == 2
    page.get_by_role("button", name=other.id).click()
    expect_column(page, "infer", "Machine", [other.id])
    page.evaluate("location.hash = 'tab=accuracy'")
    expect(page.locator("#panel-accuracy")).to_be_visible()
    page.get_by_role("button", name="9x9x9", exact=True).click()
    expect_column(page, "accuracy", "Method", [CARDS["bnn"].name])
    page.context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_a_site_is_wider_than_its_window(browser: Any, tmp_path: Path, width: int) -> None:
    store = Store(tmp_path / "store")
    for made in RECORDS:
        if made.cell.algo in ("frb", "fp32", "bicubic") and made.cell.scale == 2:
            store.write(made)
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    for file in build([store.root], tmp_path / "out", ["site"], CARDS):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, file.name
    page.context.close()
