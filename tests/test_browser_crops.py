"""Enlarged parts of pictures in a real browser: shown unsmoothed, compared by keys, by mouse and by choice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_page import axe_findings, browser, expect, needs_browser, open_page, resize, soon
from fake_pictures import PSNR, accuracy, picture_store
from fake_records import CARDS

from bench.records.store import Store
from reports import build

pytestmark = needs_browser
__all__ = ["browser"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with pictures of two scales."""
    root = tmp_path_factory.mktemp("crops")
    store = picture_store(root / "store", scales=(2, 4))
    build([store.root], root / "site", ["site"], CARDS)
    return root / "site"


@pytest.fixture
def page(browser: Any, folder: Path) -> Iterator[Any]:
    problems: list[str] = []
    made = open_page(browser, folder / "index.html", "#tab=_crops", problems)
    yield made
    made.context.close()
    assert problems == []


def clip(page: Any) -> str:
    return page.locator(".crops:visible .stage img").nth(1).evaluate("(image) => image.style.clipPath")


def test_every_part_is_drawn_without_smoothing(page: Any) -> None:
    first = page.locator(".crops").first
    expect(first.locator(".part")).to_have_count(5)
    expect(first.locator("figcaption").nth(2)).to_have_text(re.compile(r"^Full precision 31\.10 / 0\.8765$"))
    for image in first.locator(".part img").all():
        expect(image).to_have_css("image-rendering", "pixelated")
        soon(page, lambda image=image: image.evaluate("(i) => [i.naturalWidth, i.naturalHeight]"), [64, 64].__eq__)
        expect(image).to_have_attribute("alt", re.compile("enlarged part$"))
    whole = first.locator(".whole img")
    soon(page, lambda: whole.evaluate("(i) => [i.naturalWidth, i.naturalHeight]"), [140, 108].__eq__)


def test_the_divider_moves_by_keys_and_says_where_it_is(page: Any) -> None:
    slider = page.get_by_role("slider", name="Divider between left and right").first
    slider.focus()
    assert clip(page) == "inset(0px 50% 0px 0px)"
    page.keyboard.press("ArrowRight")
    soon(page, lambda: clip(page), "inset(0px 49% 0px 0px)".__eq__)
    page.keyboard.press("Home")
    soon(page, lambda: clip(page), "inset(0px 100% 0px 0px)".__eq__)
    page.keyboard.press("End")
    soon(page, lambda: clip(page), "inset(0px 0% 0px 0px)".__eq__)
    expect(slider).to_have_attribute("aria-valuetext", "100\u2009% Bicubic, 0\u2009% FRB")


def test_any_two_can_be_compared(page: Any) -> None:
    row = page.locator(".crops").first
    compare = row.get_by_role("group", name=re.compile("^Two pictures of sample"))
    expect(compare.locator(".halves")).to_have_text(re.compile(r"^Bicubic 26\.00 / 0\.8765\s*FRB 30\.70 / 0\.8765$"))
    compare.get_by_role("combobox", name="Left").select_option(label="Original")
    compare.get_by_role("combobox", name="Right").select_option(label="BNN")
    expect(compare.locator(".halves")).to_have_text(re.compile(r"^Original\s*BNN 29\.55 / 0\.8765$"))
    sources = {name: row.locator(f'.part[data-name="{name}"] img').get_attribute("src") for name in ("Original", "BNN")}
    expect(compare.locator(".stage img").nth(1)).to_have_attribute("src", sources["Original"])
    expect(compare.locator(".stage img").nth(0)).to_have_attribute("src", sources["BNN"])


def test_the_divider_follows_the_mouse(page: Any) -> None:
    stage = page.locator(".crops .stage").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.up()
    soon(page, lambda: clip(page), "inset(0px 75% 0px 0px)".__eq__)
    expect(page.get_by_role("slider").first).to_have_value("25")


def test_rows_follow_the_filters(page: Any) -> None:
    expect(page.locator(".crops:visible")).to_have_count(2)
    page.get_by_role("button", name="\N{MULTIPLICATION SIGN}4").click()
    expect(page.locator(".crops:visible")).to_have_count(1)
    expect(page.locator(".crops:visible h3")).to_have_text("sample, SRResNet \N{MULTIPLICATION SIGN}4")


def test_phone_width(page: Any) -> None:
    resize(page, 390, 844)
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    box = soon(page, lambda: page.locator(".stage").first.bounding_box(), bool)
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_the_page_of_a_method_shows_its_own_pictures(browser: Any, folder: Path) -> None:
    page = browser.new_page()
    page.goto((folder / "methods" / "frb.html").as_uri())
    names = page.locator(".parts").first.locator("bdi")
    expect(names).to_have_text(["Original", "Bicubic", "Full precision", "FRB"])
    for image in page.locator(".part img").all():
        image.scroll_into_view_if_needed()
        soon(page, lambda image=image: image.evaluate("(i) => i.naturalWidth"), (64).__eq__)
    page.close()


def test_hostile_names_are_text(browser: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    store = Store(tmp_path / "store")
    for algo in PSNR:
        store.write(accuracy(algo, store.root, names=("calm", evil)))
    cards = {**CARDS, "frb": CARDS["frb"].__class__(**{**vars(CARDS["frb"]), "name": evil})}
    problems: list[str] = []
    page = open_page(browser, build([store.root], tmp_path / "out", ["html"], cards)[0], "#tab=_crops", problems)
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    expect(page.locator(".part bdi").nth(3)).to_have_text(evil)
    expect(page.get_by_role("combobox", name="Right").locator("option:checked")).to_have_text(evil)
    expect(page.locator(".crops .note")).to_contain_text(evil)
    expect(page.locator("img:not([src^='data:'])")).to_have_count(0)
    page.context.close()
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, folder: Path, scheme: str) -> None:
    for file, address in (("index.html", "#tab=_crops"), ("methods/frb.html", "")):
        page = browser.new_context(color_scheme=scheme, reduced_motion="reduce").new_page()
        page.goto((folder / file).as_uri() + address)
        expect(page.locator(".part img").first).to_be_visible()
        assert axe_findings(page) == []
        page.context.close()
