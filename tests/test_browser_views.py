"""The page in a real browser: details, address, downloads, plots, print, phone width, accessibility."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
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
from fake_records import CARDS, record

from bench.scoring import ScoringRule
from bench.store import Store
from reports import build
from reports.board import boards
from reports.known import known
from reports.latex import tabular
from reports.tables import track_table

pytestmark = needs_browser
__all__ = ["browser", "page_file", "visit"]
AXE = Path(os.environ.get("BISRBENCH_AXE", Path(__file__).parents[1] / "node_modules/axe-core/axe.min.js"))


def test_the_drawer_tells_where_a_number_comes_from(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy&scale=2")
    page.get_by_role("button", name="FRB").click()
    drawer = page.get_by_role("dialog")
    text = drawer.inner_text()
    assert "FRB" in text and "a1*sign(W)" in text
    assert "python run_bench.py --algos frb --track accuracy --backbone srresnet --scale 2" in text
    assert "Never scored".lower() in text.lower() and "frb_paper" in text
    assert "37.71" in text  # published by the paper
    drawer.get_by_text("accuracy set5").click()
    assert "sr-y-v1" in drawer.inner_text() and "samples" in drawer.inner_text()
    assert "row=accuracy%2Ffrb.srresnet.x2" in page.url
    page.keyboard.press("Escape")
    assert not drawer.is_visible() and "row=" not in page.url
    assert page.evaluate("document.activeElement.textContent") == "FRB"


def test_a_copied_address_restores_the_view(visit: Callable[..., Any]) -> None:
    row = "infer%2Ffrb.srresnet.x2.320x180-t1"
    page = visit(f"#tab=infer&q=re&bits=1%2F1&sort=infer~speedup~desc&hide=infer~kernel&row={row}")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == "re"
    assert page.get_by_role("button", name="1/1").get_attribute("aria-pressed") == "true"
    found = [float(text) for text in column(page, "infer", "Speed-up") if text != "\N{EN DASH}"]
    assert found == sorted(found, reverse=True)
    assert not head(page, "infer", "Kernel").count()


@pytest.mark.parametrize(
    "address",
    [
        "#tab=nowhere&sort=x~y~z&w=1,2&row=a/b",
        "#w=NaN,-1,9,1,1,1&scope=<img>&bits=",
        "#sort=__proto__~a~asc&show=a~b&hide=_score~nothing",
    ],
)
def test_a_broken_address_is_harmless(visit: Callable[..., Any], address: str) -> None:
    page = visit(address)
    assert page.get_by_role("tab", selected=True).inner_text() == "Leaderboard"
    assert overall(page) == expected(ScoringRule())


def save(page: Any, name: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    assert waiting.value.suggested_filename.startswith("bisrbench-")
    return Path(waiting.value.path()).read_text(encoding="utf-8")


def test_downloads_hold_what_is_shown(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer&q=frb&accept=1", accept_downloads=True)
    lines = save(page, "CSV").splitlines()
    assert lines[0].startswith("Method,Bits (W/A),Backbone,Scale,Latency (ms),Latency (ms) spread")
    assert len(lines) == 3 and lines[1].startswith("FRB,1/1,SRResNet,2,351.")
    rows = json.loads(save(page, "JSON"))
    assert [row["id"] for row in rows] == ["frb.srresnet.x2.320x180-t1", "frb.srresnet.x4.320x180-t1"]
    assert rows[0]["values"]["latency_ms"]["unit"] == "ms"


@pytest.mark.parametrize("track", ["accuracy", "infer", "comp", "robust"])
def test_latex_from_the_page_equals_latex_from_python(visit: Callable[..., Any], track: str) -> None:
    page = visit(f"#tab={track}", accept_downloads=True)
    assert save(page, "LaTeX") == tabular(track_table(RECORDS, track, known(CARDS)))


def test_latex_of_the_leaderboard_equals_latex_from_python(visit: Callable[..., Any]) -> None:
    page = visit("", accept_downloads=True)
    table = boards(RECORDS, ScoringRule(), known(CARDS))[0].table
    assert save(page, "LaTeX") == tabular(table)


def test_tooltips_open_by_focus_and_close_by_escape(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    head(page, "infer", "Speed-up").focus()
    tip = page.get_by_role("tooltip")
    assert tip.is_visible() and "measured in turns" in tip.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "tip"
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.locator('[data-table="infer"] .none[data-tip]').first.hover()
    assert "no packed form" in page.get_by_role("tooltip").inner_text()


def test_published_numbers_can_be_put_away(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    assert page.locator(".pub").first.is_visible()
    page.get_by_label("Published").uncheck()
    assert not page.locator(".pub").first.is_visible()
    assert "pub=0" in page.url


def test_plots_open_the_drawer_and_follow_filters(visit: Callable[..., Any]) -> None:
    page = visit("#tab=_plots")
    assert page.locator("figure.fig-psnr-latency:visible").count() == 2
    page.get_by_role("button", name="\N{MULTIPLICATION SIGN}2").click()
    assert page.locator("figure.fig-psnr-latency:visible").count() == 1
    page.locator("figure.fig-speedup:visible a.pt").first.click()
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    chip = page.locator("figure.fig-robustness:visible .chips button", has_text="FRB")
    chip.click()
    assert page.locator("figure.fig-robustness:visible .ln.on").count() == 4


def test_header_and_first_column_stay(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    page.set_viewport_size({"width": 900, "height": 600})
    spots = page.evaluate(
        """() => {
            const host = document.querySelector('[data-table="accuracy"]');
            host.scrollTo(400, 300);
            const top = host.getBoundingClientRect();
            const head = host.querySelector("thead tr:last-child th.first").getBoundingClientRect();
            const first = host.querySelector("tbody tr:nth-child(9) .first").getBoundingClientRect();
            return [host.scrollLeft, host.scrollTop, head.left - top.left, first.left - top.left, head.top - top.top];
        }"""
    )
    assert spots[0] > 100 and spots[1] > 100
    assert abs(spots[2]) < 3 and abs(spots[3]) < 3 and 0 <= spots[4] < 40


def test_print_shows_the_whole_table_and_no_controls(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy", color_scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("#controls").is_visible() and not page.locator(".tabs").is_visible()
    full = page.evaluate(
        """() => {
            const host = document.querySelector('[data-table="accuracy"]');
            return host.clientHeight >= host.scrollHeight;
        }"""
    )
    assert full
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:4] == b"%PDF"


def test_phone_width(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not head(page, "accuracy", "Backbone").count()
    page.get_by_role("button", name="FRB").first.click()
    assert round(page.get_by_role("dialog").bounding_box()["width"], 2) <= 390
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Leaderboard").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.get_by_role("slider").first.is_visible()


def test_a_long_table_grows_as_it_is_scrolled(browser: Any, tmp_path: Path) -> None:
    algos = [f"m{number}" for number in range(600)]
    made = [record("accuracy", algo, "srresnet", 2, "set5", {"psnr_y": 30 + n / 100}) for n, algo in enumerate(algos)]
    store = Store(tmp_path / "store")
    for one in made:
        store.write(one)
    page = browser.new_page()
    page.goto(build([store.root], tmp_path / "out", ["html"])[0].as_uri() + "#tab=accuracy")
    rows = page.locator('[data-table="accuracy"] tbody tr')
    assert rows.count() == 200
    assert page.locator("#count").inner_text() == "600 of 600 rows"
    page.evaluate("document.querySelector('[data-table=accuracy]').scrollTo(0, 1e6)")
    page.wait_for_function("document.querySelectorAll('[data-table=accuracy] tbody tr').length === 400")
    head(page, "accuracy", "PSNR").click()
    assert column(page, "accuracy", "PSNR")[0] == "35.99"
    page.fill("#search", "m599")
    assert column(page, "accuracy", "Method") == ["m599"]
    page.fill("#search", "")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert rows.count() == 600
    page.close()


def test_theme_can_be_chosen(visit: Callable[..., Any]) -> None:
    page = visit("", color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Theme").click()
    assert page.get_by_role("button", name="Theme: dark").is_visible()
    assert page.evaluate(paper) != light
    page.reload()
    assert page.evaluate(paper) != light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Callable[..., Any], scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("no axe-core: npm install --no-save axe-core, or name its axe.min.js in BISRBENCH_AXE")
    page = visit("", color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    row = "infer%2Ffrb.srresnet.x2.320x180-t1"
    told = []
    for address in ("tab=_score", "tab=accuracy", "tab=infer", "tab=_plots", "tab=_about", f"tab=infer&row={row}"):
        page.evaluate("(address) => { location.hash = address; }", address)
        page.wait_for_function("(address) => location.hash.includes(address.split('&')[0])", arg=address)
        found = page.evaluate("axe.run(document).then((result) => result.violations)")
        told += [f"{address} {one['id']}: {n['target']} {n['failureSummary']}" for one in found for n in one["nodes"]]
    assert page.get_by_role("dialog").is_visible()
    assert told == []
