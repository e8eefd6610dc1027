"""Reports: numbers as printed, and text from outside that stays text in every output."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fake_records import CARDS, MACHINE, realistic, record
from hypothesis import given
from hypothesis import strategies as st
from page_parts import Page, data_of

import reports
from bench.contract import Card
from bench.records.record import Record
from bench.scoring import ScoringRule
from reports.board import boards
from reports.console import console_text, markdown_text
from reports.html import page
from reports.known import Known
from reports.latex import latex_document
from reports.payload import number, page_data
from reports.site import site_pages
from reports.tables import track_table, tracks_in
from reports.text import clean, fixed, latex, markdown, safe_url

EVIL = (
    "<script>alert(1)</script> & $x_1$ {\\input{/etc/passwd}} %#~^ \"'` [x](javascript:alert(1)) "
    "|\u202e\u200fabc\u0000\n../../x"
)
OFFLINE = Known(cards=CARDS)
LATEX_MISSING = shutil.which("pdflatex") is None


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return reports.latest(realistic())


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.125, 2, "0.13"), (-0.125, 2, "-0.13"), (-0.001, 2, "0.00"), (1e-7, 7, "1.0e-7"), (0.0, 8, "0"), (2.5, 0, "3"),
     (37.71, 2, "37.71"), (1234567.0, 0, "1234567")],
)  # fmt: skip
def test_numbers_as_printed(value: float, digits: int, text: str) -> None:
    assert fixed(value, digits) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 5))
def test_shortened_numbers_print_alike(value: float, digits: int) -> None:
    assert fixed(number(value, digits), digits) == fixed(value, digits)


def test_clean_text_hides_and_reorders_nothing() -> None:
    assert clean("a\u202eb\u200f\u0000\n c\ud800") == "a b c"
    assert len(clean("x" * 9000)) == 2000


@pytest.mark.parametrize("url", ["https://example.org/a?b=1#c", "http://example.org"])
def test_links_that_may_be_followed(url: str) -> None:
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//example.org", "https:///x", "ftp://example.org",
     "https://user:pw@example.org", "https://example.org/\u202etxt", "https://exa mple.org", "https://x/\"onclick=", "",
     "https://[", "file:///etc/passwd", " https://example.org"],
)  # fmt: skip
def test_links_that_may_not(url: str) -> None:
    assert safe_url(url) == ""


def test_latex_escapes_everything_it_must() -> None:
    assert latex("50% of {a_b} & $c$ #1 ~ ^ \\x") == (
        r"50\% of \{a\_b\} \& \$c\$ \#1 \textasciitilde{} \textasciicircum{} \textbackslash{}x"
    )
    assert latex("\u6f22 \u00e9 \ufb01") == "? \u00e9 fi"
    assert markdown("a|b*c_<d>") == r"a\|b\*c\_\<d\>"


@pytest.fixture(scope="module")
def hostile() -> tuple[list[Record], Known]:
    cards = {
        "frb": Card(
            "frb", EVIL, "x:X", 1, 1, paper=EVIL, url="javascript:alert(1)", provenance=EVIL, family=EVIL, formula=EVIL,
            deploy={EVIL: EVIL},
        )
    }  # fmt: skip
    base = {key: CARDS[key] for key in ("fp32", "bicubic")} | cards
    made = realistic(("fp32", "bicubic", "frb"), scales=(2,))
    spoilt = []
    for one in made:
        if one.cell.algo == "frb" and one.status == "ok":
            metrics = {
                key: value.model_copy(update={"title": EVIL, "help": EVIL, "unit": EVIL})
                for key, value in one.metrics.items()
            }
            one = one.model_copy(
                update={"metrics": metrics, "flags": [EVIL], "kernels": {EVIL: EVIL}, "samples": {EVIL: [1.0, 2.0]}}
            )
            machine = MACHINE.model_copy(update={"cpu": EVIL})
            changed = {"machine": machine, "commit": EVIL, "packages": {EVIL: EVIL}, "settings": {EVIL: EVIL}}
            one = one.model_copy(update={"provenance": one.provenance.model_copy(update=changed)})
        spoilt.append(one)
    spoilt.append(record("infer", "frb", "srresnet", 2, "evil", reason=EVIL))
    odd = record("novel", "frb", "srresnet", 2, "evil", {"a": 1.0})
    spoilt.append(odd.model_copy(update={"metrics": {EVIL: next(iter(odd.metrics.values()))}}))
    return spoilt, replace(OFFLINE, cards=base, tracks={"infer": (EVIL, EVIL)}, problems=(EVIL,))


def hostile_page(hostile: tuple[list[Record], Known]) -> str:
    made, names = hostile
    tables = [track_table(made, track, names) for track in tracks_in(made)]
    return page(made, tables, boards(made, ScoringRule(), names), ScoringRule(), names, [EVIL])


def test_hostile_text_is_text_in_html(hostile: tuple[list[Record], Known]) -> None:
    text = hostile_page(hostile)
    found, data = Page(text), data_of(text)
    assert len(found.scripts) == 2 and "alert(1)" not in found.scripts[1]
    assert data["methods"]["frb"]["url"] == "" and "alert(1)" in data["methods"]["frb"]["name"]
    charts = [tag for picture in data["pictures"] for tag in Page(picture).tags]
    assert len(charts) > 100
    for tag, attributes in found.tags + charts:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith(("#", "https://", "http://")), attributes
        assert "src" not in attributes and tag not in ("iframe", "object", "embed", "form", "link", "base")
        assert re.fullmatch(r"[\w:.+-]*", attributes.get("id") or ""), attributes
    assert "script" not in {tag for tag, _ in charts}
    for char in "\u202e\u200f\x00":
        assert char not in text and char not in json.dumps(data, ensure_ascii=False)
    policy = dict(found.tags[[tag for tag, _ in found.tags].index("meta") + 1][1])["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy


def test_hostile_text_is_text_on_the_pages_of_a_site(hostile: tuple[list[Record], Known]) -> None:
    made, names = hostile
    pages = site_pages(made, [track_table(made, track, names) for track in tracks_in(made)], names)
    assert {"methods/frb.html", "tracks/infer.html", "tracks/novel.html"} <= set(pages)
    for text in pages.values():
        for tag, attributes in Page(text).tags:
            assert tag not in ("script", "iframe", "form") and not any(name.startswith("on") for name in attributes)
            assert re.match(r"https?://|\.\./[\w/+.-]+$", attributes.get("href") or "https://"), attributes
        assert "\u202e" not in text


def test_hostile_text_is_text_in_markdown_and_console(hostile: tuple[list[Record], Known]) -> None:
    made, names = hostile
    for track in ("infer", "accuracy", "novel"):
        table = track_table(made, track, names)
        text = markdown_text(table)
        assert not re.search(r"(?<!\\)<script", text) and not re.search(r"(?<!\\)\]\(javascript", text)
        lines = [line for line in text.splitlines() if line.startswith("|")]
        bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(bars) == 1
        plain = console_text(table)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u200f]", plain)


def test_hostile_text_in_the_data_of_the_page(hostile: tuple[list[Record], Known]) -> None:
    made, names = hostile
    text = json.dumps(page_data(made, [track_table(made, "infer", names)], [], names), ensure_ascii=False)
    assert not re.search(r"[\u202e\u200f]|\\u0000", text)


@pytest.mark.skipif(LATEX_MISSING, reason="no pdflatex: apt-get install texlive-latex-extra")
@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_the_latex_document_compiles(tmp_path: Path, kind: str, records: list[Record], hostile) -> None:
    made, names = (records, OFFLINE) if kind == "ordinary" else hostile
    tracks = ("accuracy", "infer", "comp") if kind == "ordinary" else ("accuracy", "infer", "novel")
    text = latex_document([track_table(made, track, names) for track in tracks])
    assert not re.search(r"(?<!\\textbackslash\{\})(?<!\\)\\input\{", text.partition("\\begin{document}")[2])
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    assert (tmp_path / "t.pdf").read_bytes()[:4] == b"%PDF"
