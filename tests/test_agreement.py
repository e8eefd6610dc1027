"""Our order of methods beside the published one: correlations by hand, equal budgets only, on the site."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path

import pytest
from fake_records import CARDS, record

import reports
from bench.records.published import Published
from bench.records.record import Record
from bench.records.store import Store
from bench.scoring.agreement import agree
from reports.agreement import agreement_tables, comparisons
from reports.console import markdown_text
from reports.known import Known

PRINTED = {"bicubic": 28.42, "fp32": 32.16, "bnn": 27.56, "bbcu": 31.79, "frb": 31.83}


def printed(algo: str, psnr: float, **more) -> Published:
    bits = {"bits_w": None, "bits_a": None} if algo in ("bicubic", "fp32") else {"bits_w": 1, "bits_a": 1}
    values = {
        "paper": "a_paper", "table": "1", "method": algo, "algo": algo, "network": "SRResNet", "scale": 4,
        "backbone": "none" if algo == "bicubic" else "srresnet", "dataset": "set5", "psnr_db": psnr, "ssim": None,
        "params_k": None, "ops_g": None, "kind": "value", "note": "", **bits, **more,
    }  # fmt: skip
    return Published(**values)


KNOWN = Known(cards=CARDS, published=tuple(printed(algo, psnr) for algo, psnr in PRINTED.items()))


def ours(algo: str, psnr: float, budget: str = "10x4x24", seed: int = 0, case: str = "set5") -> Record:
    flags = [] if algo == "bicubic" else [f"reference-{budget}" + (f"-s{seed}" if seed else "")]
    backbone = "none" if algo == "bicubic" else "srresnet"
    return record("accuracy", algo, backbone, 4, case, {"psnr_y": psnr}, seed=seed, flags=flags)


def test_correlations_and_flips_by_hand() -> None:
    found = agree({"a": [9.0], "b": [7.0, 7.2], "c": [8.0], "d": [1.0]}, {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0})
    assert found.methods == ("a", "b", "c", "d")
    assert found.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))  # one swap of neighbours: d^2 sums to 2
    assert found.kendall == pytest.approx((5 - 1) / 6)
    (flip,) = found.flips
    assert (flip.better, flip.worse) == ("b", "c")
    assert (flip.published_db, flip.own_db) == (pytest.approx(1.0), pytest.approx(0.9))
    assert flip.spread_db == pytest.approx(0.1 * sqrt(2) * sqrt(2))  # c, trained once, takes b's deviation
    assert flip.beyond_spread is True


def test_without_a_second_seed_the_spread_is_unknown() -> None:
    (flip,) = agree({"a": [1.0], "b": [2.0], "c": [0.0]}, {"a": 2.0, "b": 1.0, "c": 0.0}).flips
    assert flip.spread_db is None and flip.beyond_spread is None


def test_few_methods_and_ties_have_no_correlation() -> None:
    assert agree({"a": [1.0], "b": [2.0]}, {"a": 1.0, "b": 2.0}).spearman is None
    assert agree({"a": [1.0], "b": [1.0], "c": [1.0]}, {"a": 1.0, "b": 2.0, "c": 3.0}).kendall is None
    tied = agree({"a": [1.0], "b": [2.0], "c": [3.0]}, {"a": 5.0, "b": 5.0, "c": 6.0})
    assert tied.flips == ()  # equal in print: no order to turn round


def test_only_equal_budgets_are_compared_and_bicubic_joins_each() -> None:
    records = [
        ours("bicubic", 28.4), ours("fp32", 30.3), ours("bnn", 29.0), ours("frb", 29.8), ours("bnn", 29.2, seed=1),
        ours("bbcu", 31.0, "6000x16x24"), ours("fp32", 31.5, "6000x16x24"),
        ours("frb", 30.0, case="set14"),
        record("accuracy", "bbcu", "srresnet", 4, "set5", {"psnr_y": 20.0}, flags=["untrained"]),
    ]  # fmt: skip
    small, large = comparisons(records, KNOWN)
    assert small.key == ("a_paper", "srresnet", 4, "set5", "10x4x24")
    assert small.result.methods == ("fp32", "frb", "bicubic", "bnn")
    assert sorted(small.own["bnn"]) == [29.0, 29.2]
    assert [(flip.better, flip.worse) for flip in small.result.flips] == [("bicubic", "bnn")]
    assert large.result.methods == ("fp32", "bbcu", "bicubic")


def test_other_bits_scales_and_doubtful_rows_are_not_quoted() -> None:
    doubtful = [
        printed("bnn", 40.0, kind="suspect"), printed("frb", 40.0, bits_w=2, bits_a=2), printed("bbcu", 40.0, scale=2),
    ]  # fmt: skip
    known = Known(cards=CARDS, published=(*doubtful, *KNOWN.published))
    records = [ours(algo, psnr) for algo, psnr in PRINTED.items()]
    (found,) = comparisons(records, known)
    assert dict(found.published) == PRINTED and found.result.spearman == pytest.approx(1.0)


def test_tables_say_what_agrees_and_what_does_not() -> None:
    records = [ours("bicubic", 28.4), ours("fp32", 30.3), ours("bnn", 29.0), ours("frb", 29.8), ours("bbcu", 29.9)]
    summary, values, flips = agreement_tables(records, KNOWN)
    text = markdown_text(summary)
    assert "| a\\_paper | SRResNet | 4 | Set5 | 10x4x24 | 5 | 0.80 | 0.60 | 2 |" in text
    assert "| BBCU-L | 29.90 | 31.79 | 2 / 3 |" in markdown_text(values)
    assert "| a\\_paper | 4 | Set5 | Bicubic | BNN | 0.86 | 0.60 |" in markdown_text(flips)
    assert "No method was trained twice." in markdown_text(flips)
    assert agreement_tables(records[:2], KNOWN) == []


@pytest.mark.parametrize(("floor", "noted"), [(27.5648, True), (27.5552, True), (27.60, False)])
def test_a_method_printed_with_the_values_of_interpolation_is_named(floor: float, noted: bool) -> None:
    bilinear = replace(CARDS["bicubic"], key="bilinear", name="Bilinear")
    known = Known(cards={**CARDS, "bilinear": bilinear}, published=KNOWN.published)
    records = [ours(algo, psnr) for algo, psnr in PRINTED.items()]
    records.append(record("accuracy", "bilinear", "none", 4, "set5", {"psnr_y": floor}))
    values = agreement_tables(records, known)[1]
    assert ["BNN is printed with the values of bilinear" in note for note in values.notes] == [True] * noted
    assert "Bilinear" not in [row.entries["method"].value for row in values.rows], "no publication prints it"


def test_the_site_has_the_page_where_there_is_something_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "everything_known", lambda *_: KNOWN)
    store = Store(tmp_path / "store")
    for algo, psnr in PRINTED.items():
        store.write(ours(algo, psnr))
    reports.build([store.root], tmp_path / "site", ["site"], CARDS)
    assert "Our order beside the published order" in (tmp_path / "site" / "checks" / "agreement.html").read_text()
    assert 'href="checks/agreement.html"' in (tmp_path / "site" / "index.html").read_text()
    store = Store(tmp_path / "other")
    store.write(ours("frb", 29.0))
    reports.build([store.root], tmp_path / "small", ["site"], CARDS)
    assert not (tmp_path / "small" / "checks").exists()
    assert "checks/agreement.html" not in (tmp_path / "small" / "index.html").read_text()
