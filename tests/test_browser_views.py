"""The page in a real browser: details, address, downloads, plots, print, phone width, accessibility."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_page import (
    RECORDS,
    axe_findings,
    browser,
    column,
    expect,
    expect_address,
    expect_overall,
    expected,
    head,
    needs_browser,
    page_file,
    ready,
    resize,
    save,
    soon,
    visit,
)  # fmt: skip
from fake_records import CARDS

from bench.scoring import ScoringRule
from reports.board import boards
from reports.known import known
from reports.latex import tabular
from reports.tables import track_table

pytestmark = needs_browser
__all__ = ["browser", "page_file", "visit"]


def tabular_of(document: str) -> str:
    """The table alone, out of a document."""
    start = document.index("\\begin{tabular}")
    return document[start : document.index("\\end{tabular}") + len("\\end{tabular}\n")]


def test_the_drawer_tells_where_a_number_comes_from(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy&scale=2")
    page.get_by_role("button", name="FRB").click()
    drawer = page.get_by_role("dialog")
    for text in (
        "FRB", "a1*sign(W)", "python run_bench.py --algos frb --track accuracy --backbone srresnet --scale 2",
        "Published numbers are never scored", "frb_paper", "37.71",
    ):  # fmt: skip
        expect(drawer).to_contain_text(text)
    source = drawer.locator(".rec", has_text="accuracy set5")
    expect(source.get_by_text("sr-y-v1")).to_be_hidden()
    source.locator("summary").click()
    expect(source.get_by_text("sr-y-v1")).to_be_visible()
    expect(source.get_by_text("5 samples")).to_be_visible()
    expect_address(page, "row=accuracy%2Ffrb.srresnet.x2")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect_address(page, "row=", there=False)
    expect(page.get_by_role("button", name="FRB")).to_be_focused()


def test_a_row_opened_right_after_closing_keeps_its_address(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy&scale=2")
    page.get_by_role("button", name="FRB").click()
    page.evaluate(
        """() => {
            document.getElementById("drawer-close").click();
            [...document.querySelectorAll(".open")].find((button) => button.textContent === "BBCU-L").click();
        }"""
    )
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name="BBCU-L")).to_be_visible()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")  # the late close event
    expect(drawer).to_be_visible()
    expect_address(page, "row=accuracy%2Fbbcu.srresnet.x2")
    page.evaluate("document.getElementById('drawer').close()")
    expect_address(page, "row=", there=False)


def test_a_copied_address_restores_the_view(visit: Callable[..., Any]) -> None:
    row = "infer%2Ffrb.srresnet.x2.320x180-t1"
    page = visit(f"#tab=infer&q=re&bits=1%2F1&sort=infer~speedup~desc&hide=infer~kernel&row={row}")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#search")).to_have_value("re")
    expect(page.get_by_role("button", name="1/1")).to_have_attribute("aria-pressed", "true")
    found = [float(text) for text in column(page, "infer", "Speed-up") if text != "\N{EN DASH}"]
    assert found and found == sorted(found, reverse=True)
    expect(head(page, "infer", "Kernel")).to_have_count(0)


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
    expect(page.get_by_role("tab", selected=True)).to_have_text("Leaderboard")
    expect_overall(page, expected(ScoringRule()))


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
    assert tabular_of(save(page, "LaTeX")) == tabular(track_table(RECORDS, track, known(CARDS)))


def test_latex_of_the_leaderboard_equals_latex_from_python(visit: Callable[..., Any]) -> None:
    page = visit("", accept_downloads=True)
    table = boards(RECORDS, ScoringRule(), known(CARDS))[0].table
    assert tabular_of(save(page, "LaTeX")) == tabular(table)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-extra")
@pytest.mark.parametrize("tab", ["_score", "accuracy", "comp"])
def test_latex_from_the_button_compiles_as_it_is(visit: Callable[..., Any], tmp_path: Path, tab: str) -> None:
    page = visit(f"#tab={tab}&show={tab}~paper,{tab}~code", accept_downloads=True)
    (tmp_path / "t.tex").write_text(save(page, "LaTeX"), encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:]


def test_a_flag_tells_what_it_says_by_key_and_by_touch(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer", has_touch=True)
    flag = page.locator('[data-table="infer"] button.flag').first
    flag.focus()
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("the timed samples spread by a tenth")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    flag.tap()
    expect(tip).to_contain_text("unstable: the timed samples")
    page.locator("h1").tap()
    expect(tip).to_be_hidden()
    page.locator("#panel-infer .flagkey summary").click()
    expect(page.locator("#panel-infer .flagkey dd").first).to_be_visible()


def test_tooltips_open_by_focus_and_close_by_escape(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    head(page, "infer", "Speed-up").focus()
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("measured in turns")
    expect(head(page, "infer", "Speed-up")).to_have_attribute("aria-describedby", "tip")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.locator('[data-table="infer"] .none[data-tip]').first.hover()
    expect(tip).to_contain_text("no packed form")


def test_a_tooltip_stays_when_focus_scrolls(visit: Callable[..., Any]) -> None:
    page = visit("#tab=infer")
    resize(page, 700, 600)
    last = page.locator('[data-table="infer"] thead button:visible').last
    last.focus()
    soon(page, lambda: page.evaluate("document.querySelector('[data-table=infer]').scrollLeft"), lambda left: left > 50)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_visible()
    beside = soon(page, lambda: (last.bounding_box(), tip.bounding_box()), lambda boxes: all(boxes))
    assert beside[1]["x"] <= beside[0]["x"] + 1 and beside[1]["x"] + beside[1]["width"] <= 700


def test_published_numbers_can_be_put_away(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    expect(page.locator(".pub").first).to_be_visible()
    page.get_by_label("Published").uncheck()
    expect(page.locator(".pub").first).to_be_hidden()
    expect_address(page, "pub=0")


def test_plots_open_the_drawer_and_follow_filters(visit: Callable[..., Any]) -> None:
    page = visit("#tab=_plots")
    expect(page.locator("figure.fig-psnr-latency:visible")).to_have_count(2)
    page.get_by_role("button", name="\N{MULTIPLICATION SIGN}2").click()
    expect(page.locator("figure.fig-psnr-latency:visible")).to_have_count(1)
    page.locator("figure.fig-speedup:visible a.pt").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.locator("figure.fig-robustness:visible .chips button", has_text="FRB").click()
    expect(page.locator("figure.fig-robustness:visible polyline.ln.on")).to_have_count(4)


def test_header_and_first_column_stay(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    resize(page, 900, 600)
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
    expect(page.locator("#controls")).to_be_hidden()
    expect(page.locator(".tabs")).to_be_hidden()
    page.wait_for_function(
        """() => {
            const host = document.querySelector('[data-table="accuracy"]');
            return host.clientHeight >= host.scrollHeight;
        }"""
    )
    expect(page.locator("html")).to_have_css("background-color", "rgb(255, 255, 255)")
    assert page.pdf()[:4] == b"%PDF"


def test_phone_width(visit: Callable[..., Any]) -> None:
    page = visit("#tab=accuracy")
    resize(page, 390, 844)
    page.reload()
    ready(page)
    fits = "document.documentElement.scrollWidth <= innerWidth"
    page.wait_for_function(fits)
    expect(head(page, "accuracy", "Method")).to_be_visible()
    expect(head(page, "accuracy", "Backbone")).to_have_count(0)
    page.get_by_role("button", name="FRB").first.click()
    box = soon(page, lambda: page.get_by_role("dialog").bounding_box(), bool)
    assert round(box["width"], 2) <= 390
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("tab", name="Leaderboard").click()
    expect(page.locator("#panel-_score")).to_be_visible()
    page.wait_for_function(fits)
    expect(page.get_by_role("slider")).to_have_count(0)


def test_a_browser_that_cannot_unpack_the_data_is_told(browser: Any, page_file: Path) -> None:
    context = browser.new_context()
    context.add_init_script("delete window.DecompressionStream")
    page = context.new_page()
    page.goto(page_file.as_uri())
    expect(page.locator("#unread")).to_be_visible()
    expect(page.locator("#unread")).to_contain_text("browser of 2023 or later")
    context.close()


def test_theme_can_be_chosen(visit: Callable[..., Any]) -> None:
    page = visit("", color_scheme="light")
    paper = page.locator("html")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(paper).not_to_have_css("background-color", light)
    page.reload()
    ready(page)
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    expect(paper).not_to_have_css("background-color", light)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Callable[..., Any], scheme: str) -> None:
    page = visit("", color_scheme=scheme, reduced_motion="reduce")
    row = "infer%2Ffrb.srresnet.x2.320x180-t1"
    told = []
    for tab, more in (("_score", ""), ("accuracy", ""), ("infer", ""), ("_plots", ""), ("_about", ""), ("infer", row)):
        page.evaluate("(address) => { location.hash = address; }", f"tab={tab}&row={more}" if more else f"tab={tab}")
        expect(page.locator(f"#panel-{tab}")).to_be_visible()
        expect(page.locator("#drawer")).to_be_visible(visible=bool(more))
        told += [f"{tab} {finding}" for finding in axe_findings(page)]
    assert told == []
