"""Our order of methods beside the published one: correlations by hand, equal budgets only, on the site."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import factorial, sqrt
from pathlib import Path

import numpy as np
import pytest
from fake_records import CARDS, record
from scipy.stats import kendalltau

import reports
from bench.contract import UserError
from bench.records.experiments import Experiment, load_experiments
from bench.records.published import Published
from bench.records.record import Record
from bench.records.store import Store
from bench.scoring import agreement
from bench.scoring.agreement import agree
from reports.agreement import agreement_tables
from reports.comparisons import Key, comparisons
from reports.console import markdown_text
from reports.known import Known

PRINTED = {
    "bicubic": 28.42, "fp32": 32.16, "bnn": 27.56, "dorefa": 30.33, "reactnet": 31.54, "bbcu": 31.79, "frb": 31.83,
}  # fmt: skip


def printed(algo: str, psnr: float, **more) -> Published:
    bits = {"bits_w": None, "bits_a": None} if algo in ("bicubic", "fp32") else {"bits_w": 1, "bits_a": 1}
    values = {
        "paper": "a_paper", "table": "1", "method": algo, "algo": algo, "network": "SRResNet", "scale": 4,
        "backbone": "none" if algo == "bicubic" else "srresnet", "dataset": "set5", "psnr_db": psnr, "ssim": None,
        "params_k": None, "ops_g": None, "kind": "value", "note": "", **bits, **more,
    }  # fmt: skip
    return Published(**values)


KNOWN = Known(cards=CARDS, published=tuple(printed(algo, psnr) for algo, psnr in PRINTED.items()))


def ours(algo: str, psnr: float, training: str = "board-10x4x24", seed: int = 0, case: str = "set5") -> Record:
    flags = [] if algo == "bicubic" else [training + (f"-s{seed}" if seed else "")]
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


def test_what_a_correlation_is_worth() -> None:
    names = "abcdefgh"
    published = {name: float(place) for place, name in enumerate(names)}
    perfect = agree({name: [value] for name, value in published.items()}, published)
    assert (perfect.kendall, perfect.interval) == (pytest.approx(1), (1, 1))
    assert perfect.chance == pytest.approx(1 / factorial(8)), "one order of 8! agrees as well"
    swapped = {**published, "a": 1.0, "b": 0.0}
    near = agree({name: [value] for name, value in swapped.items()}, published)
    assert near.chance == pytest.approx(8 / factorial(8)), "the perfect order and its seven swaps of neighbours"
    assert near.interval[0] < near.kendall < near.interval[1] == 1
    backwards = agree({name: [-value] for name, value in published.items()}, published)
    assert (backwards.kendall, backwards.chance) == (pytest.approx(-1), 1)
    three = agree({"a": [1.0], "b": [2.0], "c": [3.0]}, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert (three.interval, three.chance) == (None, pytest.approx(1 / 6)), "of three nothing can be drawn anew"


@pytest.mark.parametrize("ours", [(3, 1, 2, 5, 4), (3, 1, 1, 5, 5), (0, 0, 0, 0, 1)])
def test_drawn_and_counted_correlations_are_scipys(ours: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "DRAWS", 300)
    published = dict(zip("abcde", (1.0, 2.0, 2.0, 4.0, 5.0), strict=True))
    found = agree({name: [float(value)] for name, value in zip("abcde", ours, strict=True)}, published)
    order = [found.methods.index(name) for name in "abcde"]
    theirs, mine = np.array(list(published.values()))[np.argsort(order)], np.array(ours)[np.argsort(order)]
    drawn = np.random.default_rng(0).integers(5, size=(300, 5))
    taus = [kendalltau(theirs[d], mine[d]).statistic for d in drawn if len({*theirs[d]}) > 1 and len({*mine[d]}) > 1]
    assert found.interval == pytest.approx(tuple(np.quantile(taus, (0.025, 0.975))))
    as_good = [kendalltau(theirs, mine[list(o)]).statistic >= found.kendall - 1e-9 for o in permutations(range(5))]
    assert found.chance == pytest.approx(np.mean(as_good))


def test_only_equal_trainings_are_compared() -> None:
    records = [
        ours("dorefa", 29.0), ours("frb", 29.8), ours("reactnet", 28.0), ours("dorefa", 29.2, seed=1),
        ours("bbcu", 31.0, "board-6000x16x24"), ours("frb", 31.5, "board-6000x16x24"),
        ours("bbcu", 30.0, "reference-10x4x24"), ours("frb", 30.0, case="set14"),
        record("accuracy", "bbcu", "srresnet", 4, "set5", {"psnr_y": 20.0}, flags=["untrained"]),
    ]  # fmt: skip
    (found,) = comparisons(records, KNOWN)
    assert found.key == Key("a_paper", "1", "srresnet", 4, "set5", "equal footing", "10x4x24", (1, 1))
    assert found.result.methods == ("frb", "reactnet", "dorefa")
    assert sorted(found.own["dorefa"]) == [29.0, 29.2]
    assert [(flip.better, flip.worse) for flip in found.result.flips] == [("reactnet", "dorefa")]


def everyone(**others: float) -> list[Record]:
    return [ours(algo, others.get(algo, psnr)) for algo, psnr in PRINTED.items()]


def test_what_would_agree_in_any_case_counts_for_nothing() -> None:
    cards = {**CARDS, "bnn": replace(CARDS["bnn"], rebuilt=True)}
    wrong = {"dorefa": 31.0, "reactnet": 30.0, "bbcu": 29.0, "frb": 28.5}  # the four that count, backwards
    (found,) = comparisons(everyone(**wrong), Known(cards=cards, published=KNOWN.published))
    assert found.result.methods == ("frb", "bbcu", "reactnet", "dorefa") and found.result.kendall == pytest.approx(-1)
    assert found.apart == {"bicubic": 28.42, "fp32": 32.16, "bnn": 27.56}
    (lifted,) = comparisons(everyone(**wrong), KNOWN)
    assert lifted.result.kendall == pytest.approx(-0.2), "one row rebuilt to match print lifts it"


def test_low_bits_are_compared_with_their_like() -> None:
    cards = {**CARDS, **{f"low{n}": replace(CARDS["pams-w4a4"], key=f"low{n}") for n in range(3)}}
    rows = [printed(f"low{n}", 33.0 + n, bits_w=4, bits_a=4) for n in range(3)]
    records = [*everyone(), *(ours(f"low{n}", 33.0 - n) for n in range(3))]
    one, four = comparisons(records, Known(cards=cards, published=(*KNOWN.published, *rows)))
    assert (one.key.bits, len(one.result.methods), one.result.kendall) == ((1, 1), 5, pytest.approx(1))
    assert (four.key.bits, four.result.kendall) == ((4, 4), pytest.approx(-1))


def test_each_published_table_is_a_comparison_of_its_own() -> None:
    other = [printed(algo, -psnr, table="2") for algo, psnr in PRINTED.items()]
    first, second = comparisons(everyone(), Known(cards=CARDS, published=(*KNOWN.published, *other)))
    assert (first.key.table, first.result.kendall) == ("1", pytest.approx(1))
    assert (second.key.table, second.result.kendall) == ("2", pytest.approx(-1))


def test_as_printed_is_a_second_column() -> None:
    cards = {**CARDS, "frb_printed": CARDS["frb"].as_printed("x:Y")}
    records = [*everyone(frb=31.0), ours("frb_printed", 29.0, "printed-10x4x24")]
    equal, own = comparisons(records, Known(cards=cards, published=KNOWN.published))[::-1]
    assert (equal.key.footing, own.key.footing) == ("equal footing", "as printed")
    assert (equal.own["frb"], own.own["frb"]) == ([31.0], [29.0])
    assert own.own["bbcu"] == equal.own["bbcu"], "who has no other start of its own stands as on the board"


def test_other_bits_scales_and_doubtful_rows_are_not_quoted() -> None:
    doubtful = [
        printed("bnn", 40.0, kind="suspect"), printed("frb", 40.0, bits_w=2, bits_a=2), printed("bbcu", 40.0, scale=2),
    ]  # fmt: skip
    known = Known(cards=CARDS, published=(*doubtful, *KNOWN.published))
    (found,) = comparisons(everyone(), known)
    assert dict(found.published) == PRINTED and found.result.spearman == pytest.approx(1.0)


def test_tables_say_what_agrees_and_what_does_not() -> None:
    summary, values, flips = agreement_tables(everyone(dorefa=31.6), known_with_experiment())
    text = markdown_text(summary)
    assert "| a\\_paper, table 1 | SRResNet | 4 | Set5 | 1/1 | equal footing | 10x4x24 | 5 | 0.80 |" in text
    assert "| BBCU-L | 31.79 | 31.79 | 2 / 2 |" in markdown_text(values)
    assert "| Full precision | 32.16 | 32.16 | apart |" in markdown_text(values)
    assert "| ReActNet | DoReFa | 1.21 | 0.06 |" in markdown_text(flips)
    assert "| 1 |" in markdown_text(flips) and "elsewhere" not in markdown_text(flips)
    assert "Experiment 1. DoReFa and ReActNet, SRResNet x4: started alike. tied (here)." in markdown_text(flips)
    assert "No method was trained twice." in markdown_text(flips)
    assert "| none |" in markdown_text(agreement_tables(everyone(dorefa=31.6), KNOWN)[2])
    assert agreement_tables(everyone()[:4], KNOWN) == []


def known_with_experiment() -> Known:
    pair = {"methods": ("dorefa", "reactnet"), "backbone": "srresnet", "found": "tied", "where": "here"}
    experiments = (Experiment(**pair, scale=4, tried="started alike"), Experiment(**pair, scale=2, tried="elsewhere"))
    return Known(cards=CARDS, published=KNOWN.published, experiments=experiments)


def test_experiments_are_read_strictly(tmp_path: Path) -> None:
    assert all(one.methods and one.where for one in load_experiments())
    file = tmp_path / "experiments.toml"
    file.write_text('[[experiment]]\nmethods = ["a", "b"]\nbackbone = "srresnet"\nscale = 2\ntried = ""\n')
    with pytest.raises(UserError, match="experiment 1, tried"):
        load_experiments(file)
    file.write_text("[[experiment")
    with pytest.raises(UserError, match="cannot be read"):
        load_experiments(file)


@pytest.mark.parametrize(("floor", "noted"), [(27.5648, True), (27.5552, True), (27.60, False)])
def test_a_method_printed_with_the_values_of_interpolation_is_named(floor: float, noted: bool) -> None:
    bilinear = replace(CARDS["bicubic"], key="bilinear", name="Bilinear")
    known = Known(cards={**CARDS, "bilinear": bilinear}, published=KNOWN.published)
    records = everyone()
    records.append(record("accuracy", "bilinear", "none", 4, "set5", {"psnr_y": floor}))
    values = agreement_tables(records, known)[1]
    assert ["BNN is printed with the values of bilinear" in note for note in values.notes] == [True] * noted
    assert "Bilinear" not in [row.entries["method"].value for row in values.rows], "no publication prints it"


def test_bilinear_printed_as_bicubic_is_named_and_counts_for_nothing() -> None:
    bilinear = replace(CARDS["bicubic"], key="bilinear", name="Bilinear")
    row = printed("bilinear", 27.56, method="Bicubic", backbone="none", bits_w=None, bits_a=None)
    others = tuple(row for row in KNOWN.published if row.algo != "bicubic")
    known = Known(cards={**CARDS, "bilinear": bilinear}, published=(*others, row))
    records = [*everyone(), record("accuracy", "bilinear", "none", 4, "set5", {"psnr_y": 27.5648})]
    (found,) = comparisons(records, known)
    assert found.apart["bilinear"] == 27.5648 and "bicubic" not in found.published
    values = agreement_tables(records, known)[1]
    assert values.notes[0].startswith("What this table prints as Bicubic is bilinear interpolation")
    assert not any("Bilinear is printed with the values" in note for note in values.notes)


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
