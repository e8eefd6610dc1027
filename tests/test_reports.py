"""Reports from records: right numbers, every format, hostile text, no torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_records import CARDS, MACHINE, realistic, record
from hypothesis import given
from hypothesis import strategies as st

import reports
from bench.nouns import Card, UserError
from bench.record import Record
from bench.scoring import ScoringRule
from bench.store import Store
from reports.board import boards
from reports.command import command
from reports.console import console_text, markdown_text
from reports.html import page
from reports.known import Known, known
from reports.latex import latex_document, tabular
from reports.payload import number, page_data
from reports.table import Column, Entry, Row, marked
from reports.tables import track_table, tracks_in
from reports.text import clean, fixed, latex, markdown, safe_url

ROOT = Path(__file__).parents[1]
EVIL = (
    "<script>alert(1)</script> & $x_1$ {\\input{/etc/passwd}} %#~^ \"'` [x](javascript:alert(1)) "
    "|\u202e\u200fabc\u0000\n../../x"
)
OFFLINE = Known(cards=CARDS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return reports.latest(realistic())


def store_of(folder: Path, records: list[Record]) -> Path:
    store = Store(folder)
    for made in records:
        store.write(made)
    return store.root


# ---- numbers and text -----------------------------------------------------------------------------------------------
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


# ---- the neutral table ----------------------------------------------------------------------------------------------
def test_marks_by_hand() -> None:
    column = Column("v", "V", better="lower", digits=1)

    def rows(*values: float | None, reference: int | None = None) -> list[Row]:
        return [
            Row(str(i), str(i), "b", 2, {"v": Entry(value)}, reference=i == reference) for i, value in enumerate(values)
        ]

    def marks(found: list[Row]) -> list[str]:
        return [row.entries["v"].mark for row in marked(found, [column], lambda row: row.scale)]

    assert marks(rows(3.0, 1.0, 2.0)) == ["", "best", "second"]
    assert marks(rows(3.0, 1.01, 1.02, 2.0, 4.0)) == ["", "best", "best", "", ""]  # equal as printed; no second then
    assert marks(rows(1.0, 1.0, 2.0, 3.0)) == ["", "", "", ""]  # half of the group is best: that says nothing
    assert marks(rows(0.5, 1.0, 2.0, reference=0)) == ["", "best", "second"]
    assert marks(rows(1.0, None)) == ["", ""]
    assert marks(rows(1.0)) == [""]


def test_infer_table(records: list[Record]) -> None:
    table = track_table(records, "infer", OFFLINE)
    by_id = {row.id: row for row in table.rows}
    row = by_id["frb.srresnet.x2.320x180-t1"]
    source = next(r for r in records if r.cell.name == row.id and r.cell.track == "infer")
    values = {key: measured.value for key, measured in source.metrics.items()}
    assert row.entries["latency_ms"].value == values["latency_ms"]
    assert row.entries["latency_ms"].spread == values["latency_iqr_ms"]
    assert row.entries["file_bytes"].value == values["file_bytes"] / 1000
    assert row.entries["kernel"].value == "avx2"
    assert [c.key for c in table.columns if c.shown] == [
        "method", "bits", "backbone", "scale", "latency_ms", "speedup", "speedup_theory", "file_bytes",
        "parity_max_abs", "peak_memory_mb", "kernel", "flags",
    ]  # fmt: skip
    missing = by_id["btm.srresnet.x2.320x180-t1"]
    assert missing.entries["latency_ms"].value is None
    assert missing.entries["flags"].value == "unsupported: no packed form: attention in the unit"
    assert by_id["dorefa.srresnet.x2.320x180-t1"].flags == ("unstable",)


def test_no_parity_no_number() -> None:
    values = {"latency_ms": 100.0, "latency_iqr_ms": 1.0, "speedup": 3.0, "file_bytes": 9000.0}
    good = record("infer", "frb", "srresnet", 2, "320x180-t1", values | {"parity_max_abs": 0.0})
    bad = record("infer", "bbcu", "srresnet", 2, "320x180-t1", values)
    shown, hidden = (track_table([r], "infer", OFFLINE).rows[0] for r in (good, bad))
    assert shown.entries["latency_ms"].value == 100.0
    for key in ("latency_ms", "speedup"):
        assert hidden.entries[key].value is None
        assert "no parity check" in hidden.entries[key].note
    assert hidden.entries["file_bytes"].value == 9.0
    assert "no parity check" in hidden.entries["flags"].value
    assert "100.0" not in console_text(track_table([bad], "infer", OFFLINE))


def test_accuracy_table_joins_complexity_seeds_and_published_numbers() -> None:
    made = [
        record("accuracy", "frb", "srresnet", 2, "set5", {"psnr_y": psnr, "ssim_y": 0.95}, seed=seed)
        for seed, psnr in enumerate((37.0, 37.2, 37.4))
    ]
    made.append(record("comp", "frb", "srresnet", 2, "320x180", {"params_k": 250.0, "fp_params_k": 1000.0}))
    made.append(record("accuracy", "frb", "srresnet", 2, "set14", reason="no data"))
    table = track_table(made, "accuracy", known(CARDS))
    (row,) = table.rows
    psnr = row.entries["set5:psnr_y"]
    assert psnr.value == pytest.approx(37.2) and psnr.spread == pytest.approx(0.2)
    assert [(quote.value, quote.source) for quote in psnr.quotes] == [(37.71, "frb_paper"), (37.63, "frb_slides")]
    assert row.entries["comp:params_k"].change == pytest.approx(-75.0)
    assert row.entries["set14:psnr_y"].note == "unsupported: no data"
    assert row.entries["flags"].value == "unsupported: no data (Set14)"
    assert [c.group for c in table.columns if c.key.endswith("psnr_y")] == ["Set5", "Set14"]
    assert "Protocol sr-y-v1." in table.notes


def test_published_complexity_stands_beside_the_paper_convention() -> None:
    made = record("comp", "frb", "srresnet", 2, "320x180", {"params_k_paper": 224.6, "ops_g_paper": 18.5})
    (row,) = track_table([made], "comp", known(CARDS)).rows
    assert {quote.value for quote in row.entries["params_k_paper"].quotes} == {225.0}
    assert {quote.value for quote in row.entries["ops_g_paper"].quotes} == {18.6}


def test_robust_table_folds_severities(records: list[Record]) -> None:
    table = track_table(records, "robust", OFFLINE)
    row = next(row for row in table.rows if row.id == "frb.srresnet.x2.set5")
    source = next(r for r in records if r.cell.track == "robust" and r.cell.name == row.id)
    values = [source.metrics[f"psnr_contrast_s{severity}"].value for severity in range(1, 6)]
    assert row.entries["mean_contrast"].value == pytest.approx(sum(values) / 5)
    assert "psnr_contrast_s1" not in row.entries


def test_machines_are_told_apart() -> None:
    other = MACHINE.model_copy(update={"id": "other-8c-111111"})
    values = {"latency_ms": 100.0, "parity_max_abs": 0.0}
    made = [record("infer", "frb", "srresnet", 2, "96x54-t1", values, machine=machine) for machine in (MACHINE, other)]
    assert [row.id for row in track_table(made, "infer", OFFLINE).rows] == [
        "frb.srresnet.x2.96x54-t1@imaginary-2c-000000", "frb.srresnet.x2.96x54-t1@other-8c-111111",
    ]  # fmt: skip


def test_a_track_without_a_layout_and_a_method_without_a_card() -> None:
    made = [record("novel", "mine", "srresnet", 2, case, values) for case, values in (("a", {"thing": 1.5}), ("b", {}))]
    text = console_text(track_table(made, "novel", OFFLINE))
    assert "thing" in text and "mine" in text and "1.50" in text


# ---- the command ----------------------------------------------------------------------------------------------------
def test_commands_by_hand() -> None:
    plain = record("infer", "frb", "srresnet", 2, "320x180-t1", {})
    assert str(command(plain)) == (
        "python run_bench.py --algos frb --track infer --backbone srresnet --scale 2 "
        "--lr-size 320x180 --threads 1 --seed 0"
    )
    data = record("accuracy", "bicubic", "none", 4, "b100+", {}, flags=["untrained"])
    assert str(command(data)) == (
        "python run_bench.py --algos bicubic --track accuracy --scale 4 --preset paper --data-root DIR "
        "--allow-untrained --threads 1 --seed 0 --set accuracy.self_ensemble=true"
    )
    settings = {"sweep": [100, 4, 24], "repeats": 5, "kernel": "avx2; rm -rf /"}
    train = record("train", "frb", "srresnet", 2, "100x4x24-t1", {})
    train = train.model_copy(update={"provenance": train.provenance.model_copy(update={"settings": settings})})
    text = str(command(train, Card("frb", "FRB", "/home/a b/m.py:C", 1, 1)))
    assert text.startswith("BISRBENCH_KERNEL='avx2; rm -rf /' python run_bench.py --algos '/home/a b/m.py:C' ")
    assert text.endswith("--repeats 5 --set train.iterations=100 --set train.batch=4 --set train.patch=24")


# ---- every output ---------------------------------------------------------------------------------------------------
def test_build_writes_each_format_and_repeats_itself(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records)
    made = reports.build([store], tmp_path / "a", ["html", "latex", "md"], CARDS)
    assert [path.name for path in made] == ["index.html", "tables.tex", "tables.md"]
    again = reports.build([store], tmp_path / "b", ["html", "latex", "md"], CARDS)
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in again]
    assert made[0].stat().st_size < 300_000
    assert sorted((tmp_path / "a").iterdir()) == sorted(made)


def test_the_later_store_counts(tmp_path: Path) -> None:
    values = {"psnr_y": 30.0}
    first = store_of(tmp_path / "first", [record("accuracy", "frb", "srresnet", 2, "set5", values)])
    second = store_of(tmp_path / "second", [record("accuracy", "frb", "srresnet", 2, "set5", {"psnr_y": 31.0})])
    (made,) = reports.build([first, second], tmp_path / "out", ["md"])
    assert "31.00" in made.read_text() and "30.00" not in made.read_text()


def test_bad_requests(tmp_path: Path, records: list[Record]) -> None:
    with pytest.raises(UserError, match="no records in"):
        reports.build([tmp_path], tmp_path / "out", ["html"])
    with pytest.raises(UserError, match="unknown report format 'pdf'"):
        reports.build([tmp_path], tmp_path / "out", ["pdf"])
    store = store_of(tmp_path / "store", records[:1])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        reports.build([store], tmp_path / "file", ["md"])


def test_a_damaged_record_is_named_on_the_page(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records[:30])
    victim = next(store.rglob("*.json"))
    victim.write_text(victim.read_text()[:100])
    (made,) = reports.build([store], tmp_path / "out", ["html"], CARDS)
    assert "not a complete JSON record" in made.read_text()


NO_TORCH = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "pyiqa"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Forbid())
from pathlib import Path
import reports
for path in reports.build([Path(sys.argv[1])], Path(sys.argv[2]), ["html", "latex", "md"]):
    print(path)
from bench.store import load
print(reports.console(load([Path(sys.argv[1])]).records, "infer"))
assert "torch" not in sys.modules
"""


def test_reports_need_no_torch(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records)
    command_line = [sys.executable, "-c", NO_TORCH, str(store), str(tmp_path / "out")]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Speed-up" in done.stdout and "index.html" in done.stdout
    text = (tmp_path / "out" / "index.html").read_text()
    assert '<p class="problem">' not in text.partition("<noscript>")[0]


# ---- hostile text ---------------------------------------------------------------------------------------------------
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


class Page(HTMLParser):
    """Tags and attributes of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, text: str) -> None:
        if self._inside:
            self.scripts.append(text)


def hostile_page(hostile: tuple[list[Record], Known]) -> str:
    made, names = hostile
    tables = [track_table(made, track, names) for track in tracks_in(made)]
    return page(made, tables, boards(made, ScoringRule(), names), ScoringRule(), names, [EVIL])


def test_hostile_text_is_text_in_html(hostile: tuple[list[Record], Known]) -> None:
    text = hostile_page(hostile)
    found = Page(text)
    assert len(found.scripts) == 2 and "alert(1)" not in found.scripts[1]
    assert json.loads(found.scripts[0])["methods"]["frb"]["url"] == ""
    assert "alert" in found.scripts[0] and "<" not in found.scripts[0]
    for tag, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert (attributes.get("href") or "#").startswith(("#", "https://", "http://")), attributes
        assert "src" not in attributes and tag not in ("iframe", "object", "embed", "form", "link", "base")
        assert re.fullmatch(r"[\w:.+-]*", attributes.get("id") or ""), attributes
    for char in "\u202e\u200f\x00":
        assert char not in text
    policy = dict(found.tags[[tag for tag, _ in found.tags].index("meta") + 1][1])["content"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy


def test_no_network_is_asked_for(tmp_path: Path, records: list[Record]) -> None:
    (made,) = reports.build([store_of(tmp_path / "store", records)], tmp_path / "out", ["html"], CARDS)
    text = made.read_text()
    assert not any({"src", "srcset", "action", "poster"} & set(attributes) for _, attributes in Page(text).tags)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style


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


LATEX_MISSING = shutil.which("pdflatex") is None


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


def test_latex_in_the_form_of_the_field(records: list[Record]) -> None:
    text = tabular(track_table(records, "accuracy", OFFLINE))
    assert "\\multicolumn{2}{c}{Set5}" in text and "\\cmidrule(lr){6-7}" in text
    assert "\\multicolumn{15}{l}{$\\times$2} \\\\" in text
    assert "Bits (W/A)" in text and "\\down{81.8}" in text
    frb = next(line for line in text.splitlines() if line.startswith("FRB"))
    assert "\\best{37.68}" in frb
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1


def test_a_large_page_stays_small_without_its_pictures() -> None:
    made = reports.latest(realistic(backbones=("srresnet", "edsr", "rdn", "swinir_s"), scales=(2, 3, 4)))
    tables = [track_table(made, track, OFFLINE) for track in tracks_in(made)]
    assert sum(len(table.rows) for table in tables) > 550
    text = page(made, tables, boards(made, ScoringRule(), OFFLINE), ScoringRule(), OFFLINE)
    assert len(re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL).encode()) < 300_000
