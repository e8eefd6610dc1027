"""Scores against examples worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest
from fake_records import MACHINE, record
from score_records import accuracy, comp, infer, row

from bench.contract.backbones import BACKBONES, Backbone
from bench.records.record import Record
from bench.scoring.means import gain_share, quadratic_mean, sample_sd


@pytest.fixture
def transformer(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(BACKBONES, "swinir_s", Backbone("swinir_s", "SwinIR_S", "x", "transformer"))
    return "swinir_s"


def test_quadratic_mean_by_hand() -> None:
    assert quadratic_mean([3.0, 4.0]) == pytest.approx(3.5355339)  # sqrt((9 + 16) / 2)


def test_published_example_of_the_gain_share() -> None:
    # FRB's table 1, x2, Set5: bicubic 33.66, full precision 38.00, BBCU-L 37.58, BNN 32.25
    assert gain_share(37.58, 38.00, 33.66, 0.1) == pytest.approx(3.92 / 4.34)
    assert gain_share(32.25, 38.00, 33.66, 0.1) == 0.0
    assert gain_share(38.30, 38.00, 33.66, 0.1) == 1.0
    assert gain_share(30.0, 30.05, 30.0, 0.1) is None


def test_om_task_by_hand() -> None:
    records = [
        accuracy("bicubic", 30.0, 0.80), accuracy("fp32", 34.0, 0.90), accuracy("m", 33.0, 0.88),
        accuracy("bicubic", 26.0, 0.70, scale=4), accuracy("fp32", 28.0, 0.80, scale=4),
        accuracy("m", 27.0, 0.75, scale=4),
    ]  # fmt: skip
    parts = row(records, "m").parts
    assert parts["task"].value == pytest.approx(sqrt((0.75**2 + 0.5**2) / 2))
    assert parts["task_psnr"].value == pytest.approx(sqrt(((33 / 34) ** 2 + (27 / 28) ** 2) / 2))
    assert parts["task_ssim"].value == pytest.approx(sqrt((0.8**2 + 0.5**2) / 2))
    assert parts["task"].entries == 2
    assert row(records, "fp32").parts["task"].value == 1.0
    assert row(records, "bicubic").parts["task"].value == 0.0


def test_om_task_means_over_backbones_before_squaring(transformer: str) -> None:
    records = [accuracy("bicubic", 30.0)]
    for backbone, own in (("srresnet", 33.0), (transformer, 31.0)):
        records += [accuracy("fp32", 34.0, backbone=backbone), accuracy("m", own, backbone=backbone)]
    parts = row(records, "m").parts
    assert parts["task"].value == pytest.approx(0.5)  # one task, E of 0.75 and 0.25
    assert parts["arch"].value == pytest.approx(sqrt((0.75**2 + 0.25**2) / 2))
    assert parts["arch_psnr"].value == pytest.approx(sqrt(((33 / 34) ** 2 + (31 / 34) ** 2) / 2))


def test_om_arch_is_missing_with_one_kind_of_architecture() -> None:
    part = row([accuracy("bicubic", 30.0), accuracy("fp32", 34.0), accuracy("m", 33.0)], "m").parts["arch"]
    assert part.value is None
    assert "only one kind of architecture" in part.reason


def test_a_square_that_others_have_leaves_the_score_missing() -> None:
    records = [
        accuracy("bicubic", 30.0), accuracy("fp32", 34.0), accuracy("m", 33.0), accuracy("n", 33.5),
        accuracy("bicubic", 26.0, case="b100"), accuracy("fp32", 28.0, case="b100"), accuracy("m", 27.0, case="b100"),
        record("accuracy", "n", "srresnet", 2, "b100", reason="cannot"),
    ]  # fmt: skip
    assert row(records, "m").parts["task"].value is not None
    missing = row(records, "n").parts["task"]
    assert (missing.value, missing.reason) == (None, "n: srresnet x2 b100: cannot")


@pytest.mark.parametrize("gone", ["fp32", "bicubic"])
def test_no_share_without_its_two_ends(gone: str) -> None:
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0), accuracy("m", 33.0)]
    part = row([r for r in records if r.cell.algo != gone], "m").parts["task"]
    assert part.value is None
    assert gone in part.reason and "not measured" in part.reason


def test_full_precision_no_better_than_bicubic_gives_no_share() -> None:
    part = row([accuracy("bicubic", 30.0), accuracy("fp32", 30.05), accuracy("m", 33.0)], "m").parts["task"]
    assert part.value is None and "gains less than 0.1" in part.reason


def test_untrained_networks_are_not_scored() -> None:
    untrained = record("accuracy", "m", "srresnet", 2, "set5", {"psnr_y": 33.0}, flags=["untrained"])
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0), accuracy("n", 33.0), untrained]
    assert row(records, "m").parts["task"].reason == "m: srresnet x2 set5: not scored: untrained"


def test_seeds_give_mean_and_sample_deviation() -> None:
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0)]
    records += [accuracy("m", psnr, seed=seed) for seed, psnr in enumerate((32.8, 33.0, 33.4))]
    part = row(records, "m").parts["task"]
    shares = [0.7, 0.75, 0.85]
    assert part.value == pytest.approx(sum(shares) / 3)
    assert part.sd == pytest.approx(sqrt(sum((s - sum(shares) / 3) ** 2 for s in shares) / 2))
    assert part.seeds == 3
    assert row(records, "fp32").parts["task"].sd is None
    assert sample_sd([1.0]) is None


def test_the_latest_of_two_records_of_one_cell_counts() -> None:
    old = record("accuracy", "m", "srresnet", 2, "set5", {"psnr_y": 31.0}, utc="2029-01-01T00:00:00+00:00")
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0), accuracy("m", 33.0), old]
    assert row(records, "m").parts["task"].value == pytest.approx(0.75)


def test_om_comp_and_infer_by_hand() -> None:
    records = [comp("m", 4.0, 6.0), comp("m", 2.0, 4.0, scale=4), infer("m", 2.0, 5.0), infer("m", 4.0, 7.0, scale=4)]
    parts = row(records, "m").parts
    assert parts["comp"].value == pytest.approx(sqrt((3**2 + 5**2) / 2))
    assert parts["infer"].value == pytest.approx(sqrt((3**2 + 6**2) / 2))
    assert (parts["speedup"].value, parts["file_reduction"].value) == (pytest.approx(3), pytest.approx(6))


def test_om_train_by_hand_with_the_floor_on_the_spread() -> None:
    part = row([sweep(27.9, bicubic=27.7)], "m").parts["train"]
    assert part.value == pytest.approx(sqrt((0.5**2 + 3.0**2) / 2))


def sweep(mean: float, bicubic: float | None, **more: object) -> Record:
    values = {"train_speedup": 0.5, "hyper_sd_db": 0.002, "fp32_hyper_sd_db": 0.03, "hyper_mean_db": mean}
    details = {} if bicubic is None else {"bicubic_db": bicubic}
    return record("train", "m", "srresnet", 2, "sweep", values, details=details, **more)


@pytest.mark.parametrize("mean", [27.7, 27.1])
def test_a_network_that_learns_nothing_is_not_insensitive(mean: float) -> None:
    part = row([sweep(mean, bicubic=27.7)], "m").parts["train"]
    assert part.value == pytest.approx(sqrt(0.5**2 / 2))


def test_a_sweep_without_bicubics_value_is_not_scored() -> None:
    part = row([sweep(27.9, bicubic=None)], "m").parts["train"]
    assert part.value is None and "bicubic_db" in part.reason


def test_records_of_two_machines_are_not_mixed() -> None:
    other = MACHINE.model_copy(update={"id": "other-8c-111111"})
    part = row([infer("m", 2.0, 5.0), infer("m", 4.0, 7.0, scale=4, machine=other)], "m").parts["infer"]
    assert part.value is None
    assert "several machines (imaginary-2c-000000, other-8c-111111)" in part.reason


def test_a_sweep_too_short_to_learn_anything_is_not_scored() -> None:
    other = record("train", "n", "srresnet", 2, "sweep", {"train_speedup": 0.5})
    part = row([sweep(27.9, bicubic=27.7, flags=["short_sweep"]), other], "m").parts["train"]
    assert part.value is None and "short_sweep" in part.reason
