"""The page in a real browser: tabs, sorting, search, filters, columns, scores and their weights."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

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
    page_file,
    soon,
    visit,
)  # fmt: skip
from fake_records import CARDS

from bench.scoring import PARTS, ScoringRule, score

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
