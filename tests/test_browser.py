"""The page in a real browser: tabs, sorting, search, filters, columns, scores and their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from browser_page import (
    RECORDS,
    browser,
    column,
    expected,
    head,
    needs_browser,
    overall,
    page_file,
    visit,
)  # fmt: skip
from fake_records import CARDS

from bench.scoring import PARTS, ScoringRule, score

pytestmark = needs_browser
__all__ = ["browser", "page_file", "visit"]


def test_tabs_by_mouse_and_keys(visit: Callable[..., Any]) -> None:
    page = visit()
    assert page.get_by_role("tab", selected=True).inner_text() == "Leaderboard"
    page.get_by_role("tab", name="Measured inference").click()
    assert page.locator("#panel-infer").is_visible() and not page.locator("#panel-_score").is_visible()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#panel-comp").is_visible()
    page.keyboard.press("Home")
    assert page.locator("#panel-_score").is_visible()


def test_sorting_puts_missing_last_both_ways(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    button = head(page, "infer", "Latency")
    for way, sign in (("ascending", 1), ("descending", -1)):
        button.click()
        assert page.locator('[data-table="infer"] th[aria-sort]').get_attribute("aria-sort") == way
        found = column(page, "infer", "Latency")
        numbers = [float(text) for text in found if text != "\N{EN DASH}"]
        assert numbers == sorted(numbers, key=lambda value: sign * value)
        assert len(numbers) == 22 and found[-2:] == ["\N{EN DASH}"] * 2
    button.click()
    assert page.locator("[aria-sort]").count() == 0


def test_search_and_filters(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    page.keyboard.press("/")
    page.keyboard.type("frb")
    assert column(page, "accuracy", "Method") == ["FRB", "FRB"]
    assert page.locator("#count").inner_text() == "2 of 26 rows"
    page.fill("#search", "")
    page.get_by_role("button", name="\N{MULTIPLICATION SIGN}4").click()
    page.get_by_role("button", name="low-bit").click()
    assert sorted(column(page, "accuracy", "Method")) == ["PAMS", "QuantSR"]
    assert set(column(page, "accuracy", "Scale")) == {"4"}
    page.get_by_role("button", name="1/1").click()
    assert page.locator(".empty:visible").inner_text().startswith("Nothing matches")


def test_columns_can_be_shown_and_hidden(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    assert not head(page, "infer", "Body").count()
    page.locator("#columns summary").click()
    page.get_by_label("Body (ms)").check()
    page.get_by_label("Backbone").uncheck()
    assert head(page, "infer", "Body").is_visible()
    assert not head(page, "infer", "Backbone").count()
    assert "show=infer%7Ebody_ms" in page.url


def test_the_page_scores_as_python_does(visit: Callable[..., Any]) -> None:
    page = visit()
    assert overall(page) == expected(ScoringRule())
    page.get_by_role("button", name="Deployment").click()
    preset = ScoringRule().weight_presets["deployment"]
    assert overall(page) == expected(ScoringRule(weights=preset))
    ranked = [row.algo for row in score(RECORDS, ScoringRule(weights=preset)).rows if row.rank]
    assert column(page, "_score", "Method")[: len(ranked)] == [CARDS[algo].name for algo in ranked]


def test_a_slider_ranks_anew_and_the_address_keeps_it(visit: Callable[..., Any]) -> None:
    page = visit()
    before = column(page, "_score", "Method")
    slider = page.get_by_role("slider", name="OM infer")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("End")
    weights = {part.key: 1.0 for part in PARTS} | {"infer": 5.0}
    assert overall(page) == expected(ScoringRule(weights=weights))
    assert column(page, "_score", "Method") != before
    assert page.locator(".move").count() > 0
    again = visit("#" + page.url.partition("#")[2])
    assert overall(again) == expected(ScoringRule(weights=weights))
    again.get_by_role("button", name="Reset").click()
    assert column(again, "_score", "Method") == before
    assert page.get_by_role("slider", name="OM arch").is_disabled()


def test_scopes_score_a_part_of_the_records(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("#scope").select_option("x4")
    rows = score([record for record in RECORDS if record.cell.scale == 4]).rows
    assert overall(page) == {
        CARDS[row.algo].name: "\N{EN DASH}" if row.overall is None else f"{row.overall:.1f}" for row in rows
    }
    assert page.locator('figure[data-scope="x4"]').is_visible()
    assert "scope=x4" in page.url
