"""Published numbers: complete, strict, and equal to what the sources print."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bench.contract import UserError
from bench.contract.backbones import BACKBONES
from bench.plan.discover import discover
from bench.records import published

SHARED = Path(__file__).parents[1].parent / "shared" / "facts"
HEADER = ",".join(published.Published.model_fields)
SOURCES = "paper,citation,year,url,how_read\np,Someone: A paper,2024,,the paper\n"


@pytest.fixture(scope="module")
def rows() -> list[published.Published]:
    return published.load()


def test_every_row_is_there(rows: list[published.Published]) -> None:
    assert len(rows) == 1186
    assert len(published.load_matting()) == 36
    assert Counter(row.paper for row in rows) == {
        "e2fif_paper": 215, "frb_paper": 166, "quantsr_slides": 147, "frb_slides": 144, "pams_paper": 138,
        "bbcu_figure": 110, "condiquant_figure": 130, "ddtb_readme": 72, "bidiffsr_figure": 44, "bbcu_rescored": 12,
        "binsr_readme": 8,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("paper", "table", "method", "scale", "dataset", "psnr", "ssim"),
    [
        ("frb_paper", "1", "Bicubic", 2, "set5", 33.66, 0.9299),
        ("frb_paper", "1", "FRBC (ours)", 2, "set5", 37.71, 0.9595),
        ("frb_paper", "1", "SRResNet", 4, "set5", 32.16, 0.8951),
        ("frb_slides", "2", "FRBC (ours)", 2, "set5", 37.63, 0.9590),
        ("pams_paper", "1", "EDSR", 2, "set5", 37.985, 0.9604),
    ],
)
def test_spot_values(rows, paper, table, method, scale, dataset, psnr, ssim) -> None:
    place = (paper, table, method, scale, dataset)
    found = [r for r in rows if (r.paper, r.table, r.method, r.scale, r.dataset) == place]
    assert [(r.psnr_db, r.ssim) for r in found] == [(psnr, ssim)]


def sheet(name: str) -> list[dict[str, str]]:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {path}")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    return float(text) if text else None


NEWER = {"condiquant_figure", "ddtb_readme", "bidiffsr_figure", "bbcu_rescored", "binsr_readme"}


def test_equal_to_the_shared_sheet(rows: list[published.Published]) -> None:
    expected = Counter(
        (s["table"], s["method"], s["scale"][:2], number(s["psnr"]), number(s["ssim"]), number(s["params_k"]),
         number(s["ops_g"]))
        for s in sheet("published_tables.csv")
    )  # fmt: skip
    got = Counter(
        (r.table, r.method, f"x{r.scale}", r.psnr_db, r.ssim, r.params_k, r.ops_g) for r in rows if r.paper not in NEWER
    )
    assert got == expected


def test_newer_rows_equal_the_shared_sheet(rows: list[published.Published]) -> None:
    expected = Counter(
        (s["method"], s["backbone"], int(s["scale"]), s["bits_w"], s["bits_a"], s["dataset"].lower(), number(s["psnr"]),
         number(s["ssim"]))
        for s in sheet("published_newer.csv")
    )  # fmt: skip
    got = Counter(
        (r.method, r.network, r.scale, str(r.bits_w), str(r.bits_a), r.dataset, r.psnr_db, r.ssim)
        for r in rows
        if r.paper in NEWER
    )
    assert got == expected


def test_bilinear_printed_as_bicubic_stands_as_what_it_is(rows: list[published.Published]) -> None:
    """Quantizers after 2DQuant print bilinear interpolation, to the digit, in a row named bicubic."""
    misnamed = [r for r in rows if r.paper == "condiquant_figure" and r.method == "Bicubic"]
    assert {r.algo for r in misnamed} == {"bilinear"} and len(misnamed) == 10
    found = published.matching(rows, "bilinear", "none", 4, "set5", (32, 32))
    assert [(r.paper, r.psnr_db) for r in found if r.method == "Bicubic"] == [("condiquant_figure", 27.56)]
    others = [r.psnr_db for r in published.matching(rows, "bicubic", "none", 4, "set5", (32, 32))]
    assert others and min(others) > 28.3


def test_matching_prefers_papers_and_leaves_out_what_is_no_value(rows: list[published.Published]) -> None:
    frb = published.matching(rows, "frb", "srresnet", 2, "set5", (1, 1))
    assert [r.paper for r in frb] == ["frb_paper", "frb_slides"]
    assert published.matching(rows, "bicubic", "none", 4, "set5", (32, 32))[0].psnr_db == 28.42
    assert published.matching(rows, "pams_4", "edsr", 2, "set5", (1, 1)) == []
    assert [r.psnr_db for r in published.matching(rows, "pams_8", "edsr", 2, "set5", (8, 8))] == [37.946]
    assert published.matching(rows, "pams_4", "edsr", 2, "set5", (4, 4))[0].psnr_db == 37.665
    assert published.matching(rows, "frb", "srresnet", 2, "set5+", (1, 1))[0].psnr_db == 37.85
    suspects = [r for r in rows if r.kind == "suspect"]
    assert len(suspects) == 8
    for row in suspects:
        bits = (row.bits_w, row.bits_a)
        assert row not in published.matching(rows, row.algo, row.backbone, row.scale, row.dataset, bits)


def test_every_key_is_one_of_ours(rows: list[published.Published]) -> None:
    known = set(discover().algorithms)
    assert {row.algo.removesuffix("+") for row in rows} <= known | {""}
    assert {row.backbone for row in rows} <= set(BACKBONES) | {"", "none"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("p,1,M,frb,net,srresnet,2,1,1,set5,37.7,0.9,,,value", "15 columns, expected 16"),
        ("p,1,M,frb,net,srresnet,5,1,1,set5,37.7,0.9,,,value,", "line 2, column scale: got '5'"),
        ("p,1,M,frb,net,srresnet,2,1,1,set6,37.7,0.9,,,value,", "column dataset: got 'set6'"),
        ("p,1,M,frb,net,srresnet,2,1,1,set5,nan,0.9,,,value,", "column psnr_db: got 'nan'"),
        ("p,1,M,../frb,net,srresnet,2,1,1,set5,37.7,0.9,,,value,", "column algo: got '../frb'"),
        ("p,1,M,frb,net,srresnet,2,one,1,set5,37.7,0.9,,,value,", "column bits_w: got 'one'"),
        ("q,1,M,frb,net,srresnet,2,1,1,set5,37.7,0.9,,,value,", "column paper: got 'q'"),
        ("p,1,M,frb,net,srresnet,2,1,1,set5,37.7,0.9,-3,,value,", "column params_k: got '-3'"),
    ],
)
def test_a_bad_row_names_file_line_and_column(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "sources.csv").write_text(SOURCES)
    (tmp_path / "p.csv").write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(UserError) as error:
        published.load(tmp_path)
    assert "p.csv, line 2" in str(error.value)
    assert said in str(error.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sources\.csv: cannot be read"):
        published.load(tmp_path)
    (tmp_path / "sources.csv").write_text(SOURCES)
    (tmp_path / "p.csv").write_text("paper,table\n")
    with pytest.raises(UserError, match="line 1: columns"):
        published.load(tmp_path)
    (tmp_path / "p.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"p\.csv: cannot be read"):
        published.load(tmp_path)
