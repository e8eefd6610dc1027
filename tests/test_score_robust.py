"""OM robust over mild damage, and the forms over ImageNet-C beside it, against examples worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest
from fake_records import record
from hypothesis import given
from hypothesis import strategies as st
from score_records import row

from bench.records.record import Record


def robust(
    algo: str, clean: float, seed: int = 0, flags: tuple[str, ...] = (), severe: bool = False, **damaged: float
) -> Record:
    values = {"psnr_clean": clean} | {f"psnr_{name}": value for name, value in damaged.items()}
    backbone, case = "none" if algo == "bicubic" else "srresnet", "set5" if severe else "set5-mild-v1"
    return record("robust", algo, backbone, 2, case, values, seed=seed, flags=list(flags))


BICUBIC = robust("bicubic", 30.0, noise_s1=29.0, noise_s2=28.0, blur_s1=29.0, blur_s2=28.5)
FULL = robust("fp32", 34.0, noise_s1=32.0, noise_s2=28.0, blur_s1=32.0, blur_s2=30.0)


def om(own: Record, *more: Record) -> float | None:
    return row([BICUBIC, FULL, own, *more], own.cell.algo).parts["robust"].value


def test_om_robust_is_the_gain_over_bicubic_that_damage_leaves() -> None:
    own = robust("m", 33.0, noise_s1=31.0, noise_s2=28.4, blur_s1=31.0, blur_s2=29.5)
    # gains over bicubic on the same pictures, over full precision's clean gain of 4 dB
    noise, blur = (2.0 + 0.4) / 2 / 4, (2.0 + 1.0) / 2 / 4
    assert om(own) == pytest.approx(sqrt((noise**2 + blur**2) / 2))
    # full precision keeps 3/4 and 0 under noise, 3/4 and 1.5/4 under blur: below 1, like everybody
    assert row([BICUBIC, FULL, own], "fp32").parts["robust"].value == pytest.approx(sqrt((0.375**2 + 0.5625**2) / 2))
    assert row([BICUBIC, FULL, own], "bicubic").parts["robust"].value == 0.0


def test_below_bicubic_takes_away_and_a_damage_never_counts_below_nothing() -> None:
    own = robust("m", 33.0, noise_s1=27.0, noise_s2=27.0, blur_s1=29.4, blur_s2=28.3)
    # noise: (-2 - 1) / 2 below bicubic counts as 0 and is not squared into a merit; blur: .4 and -.2
    assert om(own) == pytest.approx(sqrt((0.0**2 + (0.1 / 4) ** 2) / 2))
    lost = robust("m", 33.0, noise_s1=33.0, noise_s2=5.0, blur_s1=29.0, blur_s2=28.5)
    assert om(lost) == pytest.approx(0.0), "a point counts at least -1: 4/4 and -23/4 make nothing"


@pytest.mark.parametrize("clean", [28.0, 30.1, 30.5])
def test_a_network_that_has_nothing_to_lose_is_not_robust(clean: float) -> None:
    smooth = robust("m", clean, noise_s1=31.0, noise_s2=30.5, blur_s1=31.0, blur_s2=31.0)
    assert om(smooth) == 0.0
    assert om(robust("m", 30.6, noise_s1=31.0, noise_s2=30.5, blur_s1=31.0, blur_s2=31.0)) > 0.4


@given(st.lists(st.floats(25.0, 36.0), min_size=5, max_size=5), st.integers(0, 4), st.floats(0.0, 3.0))
def test_no_better_picture_lowers_the_score(psnr: list[float], place: int, more: float) -> None:
    keys = ("clean", "noise_s1", "noise_s2", "blur_s1", "blur_s2")
    better = [value + more * (number == place) for number, value in enumerate(psnr)]
    first, second = (om(robust("m", **dict(zip(keys, each, strict=True)))) for each in (psnr, better))
    assert second >= first - 1e-12


def test_each_seed_has_its_own_value() -> None:
    points = {"noise_s2": 28.4, "blur_s1": 31.0, "blur_s2": 29.5}
    records = [robust("m", 33.0, seed, noise_s1=31.0 + seed, **points) for seed in (0, 1)]
    part = row([BICUBIC, FULL, *records], "m").parts["robust"]
    assert part.seeds == 2 and part.by_seed[0] == pytest.approx(om(records[0]))
    assert part.sd == pytest.approx(abs(part.by_seed[1] - part.by_seed[0]) / sqrt(2))
    assert part.by_seed[0] < part.value < part.by_seed[1]


def test_every_damage_and_both_references_are_needed() -> None:
    few = robust("m", 33.0, noise_s1=31.0, noise_s2=30.0, blur_s1=31.0)
    assert row([BICUBIC, FULL, few], "m").parts["robust"].reason == "srresnet x2 set5-mild-v1: no blur at level 2"
    whole = robust("m", 33.0, noise_s1=31.0, noise_s2=30.0, blur_s1=31.0, blur_s2=30.0)
    assert "bicubic" in row([FULL, whole], "m").parts["robust"].reason
    clean_only = robust("bicubic", 30.0, noise_s1=29.0, blur_s1=29.0, blur_s2=29.0)
    assert "bicubic: no noise at level 2" in row([clean_only, FULL, whole], "m").parts["robust"].reason
    weak = robust("fp32", 30.4, noise_s1=30.0)
    assert "full precision gains at most 0.5 dB" in row([BICUBIC, weak, whole], "m").parts["robust"].reason


@pytest.mark.parametrize("flag", ["partial_damages", "other_damages", "untrained"])
def test_not_the_set_itself_is_not_scored(flag: str) -> None:
    whole = {"noise_s1": 31.0, "noise_s2": 30.0, "blur_s1": 31.0, "blur_s2": 30.0}
    records = [BICUBIC, FULL, robust("m", 33.0, flags=(flag,), **whole), robust("n", 33.0, **whole)]
    assert flag in row(records, "m").parts["robust"].reason
    assert row(records, "n").parts["robust"].value is not None


def test_imagenet_c_is_shown_beside_it_in_bibenchs_form() -> None:
    records = [
        robust("bicubic", 30.0, severe=True, noise_s1=29.0, noise_s2=28.0, blur_s1=29.5, blur_s2=29.0),
        robust("fp32", 34.0, severe=True, noise_s1=33.0, noise_s2=32.0, blur_s1=33.5, blur_s2=33.0),
        robust("m", 32.0, severe=True, noise_s1=31.0, noise_s2=30.0, blur_s1=31.8, blur_s2=31.0),
        robust("dead", 30.1, severe=True, noise_s1=30.1, noise_s2=30.1, blur_s1=30.1, blur_s2=30.1),
    ]
    parts = row(records, "m").parts
    # relative losses: fp32 noise 1/4, 2/4, blur .5/4, 1/4; m noise 1/2, 2/2, blur .2/2, 1/2
    noise, blur = (0.5 + 0.5) / 2, (min(1, 0.125 / 0.1) + 0.5) / 2
    assert parts["robust_imagenet"].value == pytest.approx(sqrt((noise**2 + blur**2) / 2))
    noise, blur = (1 + 1) / 2, (0.5 / 0.2 + 1) / 2
    assert parts["robust_uncapped"].value == pytest.approx(sqrt((noise**2 + blur**2) / 2))
    assert parts["robust"].reason == "not measured", "one set does not stand in for the other"
    dead = row(records, "dead").parts
    assert (dead["robust_imagenet"].value, dead["robust_uncapped"].value > 10) == (0.0, True)
