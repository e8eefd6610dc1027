"""The robust track: curves that scoring can read, reproducible damage, gaps, refusals."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sr_networks import Conv, cell, context

from bench.contract import Outcome, Settings, Unsupported, UserError
from bench.pictures.corruptions import EXTRA, STANDARD, corrupt
from bench.pictures.metrics import score
from bench.pictures.mild import damage
from bench.pictures.resize import resize
from bench.scoring.evidence import Measured
from bench.scoring.robust import curve
from bench.scoring.rule import ScoringRule
from bench.tasks.sr.datasets import open_set
from tracks.robust.track import TRACK, key, summarize

CHOSEN = {"robust.set": "imagenet-c", "robust.corruptions": "gaussian_noise,fog,jpeg_compression"}


def run(algo: str = "bicubic", scale: int = 2, **more: Any) -> Outcome:
    settings = {"allow_untrained": True, "severities": (1, 4), "extra": CHOSEN} | more
    return TRACK.run(cell("robust", algo, "sample", scale), context(**settings))


def test_values_are_those_of_the_corrupted_input_against_the_clean_original() -> None:
    outcome = run()
    for place, pair in enumerate(open_set("sample", 2)):
        for name, severity in (("fog", 1), ("gaussian_noise", 4)):
            sr = resize(corrupt(pair.given, name, severity).image, 2)
            got = outcome.samples[key(name, severity)][place]
            assert got == pytest.approx(score(sr, pair.truth, 2).psnr_y, abs=1e-4)
        clean = score(resize(pair.given, 2), pair.truth, 2).psnr_y
        assert outcome.samples["psnr_clean"][place] == pytest.approx(clean, abs=1e-4)
    assert outcome.metrics["psnr_fog_s1"] == pytest.approx(np.mean(outcome.samples["psnr_fog_s1"]))
    assert outcome.flags == ["sample_data"]


def test_the_same_seed_gives_the_same_record_and_another_does_not() -> None:
    first, second, other = run(), run(), run(seed=1)
    assert first.samples == second.samples and first.dataset_sha256 == second.dataset_sha256
    assert first.samples["psnr_gaussian_noise_s4"] != other.samples["psnr_gaussian_noise_s4"]
    assert first.samples["psnr_jpeg_compression_s4"] == other.samples["psnr_jpeg_compression_s4"]  # nothing random


def test_scoring_reads_the_whole_curve() -> None:
    outcome = run()
    found = curve(Measured({0: outcome.metrics}))
    assert found.clean == outcome.metrics["psnr_clean"]
    assert {name: set(values) for name, values in found.corrupted.items()} == {
        name: {1, 4} for name in ("gaussian_noise", "fog", "jpeg_compression")}  # fmt: skip
    for name, values in found.corrupted.items():
        gaps = [found.clean - values[severity] for severity in (1, 4)]
        assert outcome.details["gap_db"][name] == pytest.approx(gaps)
        assert gaps[0] < gaps[1]


def test_every_metric_is_declared_with_its_direction() -> None:
    declared = {metric.key: metric for metric in TRACK.metrics}
    assert run().metrics.keys() <= declared.keys()
    points = [metric for metric in TRACK.metrics if re.fullmatch(r"psnr_.+_s[1-5]", metric.key)]
    assert len(points) == 5 * len(STANDARD + EXTRA) + 25 == 120
    assert {metric.better for metric in points} == {"higher"} and declared["gap_db"].better == "lower"


def test_gaps_are_floored_and_related_to_the_gain() -> None:
    """Clean 30 dB; one corruption helps by 1 dB, one costs 3 dB. Bicubic 28 dB, and 28 and 27.5 when damaged."""
    rule = ScoringRule()
    curves = {("fog", 1): [31.0, 31.0], ("snow", 1): [26.0, 28.0]}
    bicubic = {("fog", 1): [28.0, 28.0], ("snow", 1): [27.0, 28.0]}
    metrics, gaps = summarize([29.0, 31.0], [28.0, 28.0], curves, bicubic, rule)
    assert metrics["gain_clean_db"] == pytest.approx(2.0) and metrics["gain_db"] == pytest.approx((3.0 - 0.5) / 2)
    assert gaps == {"fog": [-1.0], "snow": [3.0]}
    assert metrics["gap_db"] == pytest.approx(1.0)
    assert metrics["gap_floored_db"] == pytest.approx((rule.robust_min_gap_db + 3.0) / 2)
    assert metrics["relative_gap"] == pytest.approx(metrics["gap_floored_db"] / 2.0)
    assert metrics["psnr_corrupted"] == pytest.approx(29.0) and metrics["psnr_snow_s1"] == pytest.approx(27.0)
    collapsed, _ = summarize([28.2, 28.2], [28.0, 28.0], curves, bicubic, rule)
    assert not {"relative_gap", "gain_db"} & collapsed.keys(), "it has nothing to lose"


def test_small_inputs_are_padded_and_it_is_said() -> None:
    outcome = run(scale=8)  # 240 / 8 = 30 pixels
    assert "padded_inputs" in outcome.flags and outcome.details["padded"] == 5 * 6
    assert "padded_inputs" not in run().flags


def test_refusals_come_before_the_run() -> None:
    def cells(**settings: Any) -> list:
        return TRACK.cells([Conv.card], ["small"], ["x2"], Settings(**settings))

    with pytest.raises(UserError, match="unknown corruption rain"):
        cells(extra={"robust.set": "all", "robust.corruptions": "fog,rain"})
    for value in (3, (640, 360), ""):
        with pytest.raises(UserError, match="unknown corruption"):
            cells(extra={"robust.set": "imagenet-c", "robust.corruptions": value})
    with pytest.raises(UserError, match=r"Add --set robust\.set=imagenet-c"):
        cells(extra={"robust.corruptions": "fog"})
    with pytest.raises(UserError, match=r"robust\.set=severe: expected mild-v1 or imagenet-c or all"):
        cells(extra={"robust.set": "severe"})
    with pytest.raises(UserError, match="memory_mb=0: expected"):
        cells(extra={"robust.memory_mb": 0})
    with pytest.raises(UserError, match="severities"):
        cells(severities=(0, 1), extra={"robust.set": "all"})
    with pytest.raises(Unsupported, match="no trained weights"):
        TRACK.run(cell("robust", "conv"), context())


def test_the_fingerprint_names_corruptions_and_severities() -> None:
    one = cell("robust", "conv", "sample")
    base = TRACK.inputs(one, Settings())
    assert base["corruptions"] == list(STANDARD) and base["severities"] == [1, 2, 3, 4, 5]
    assert TRACK.inputs(one, Settings(severities=(3, 1)))["severities"] == [1, 3]
    assert TRACK.inputs(one, Settings(extra={"robust.corruptions": "all"}))["corruptions"] == list(STANDARD + EXTRA)


def test_inputs_that_are_not_enlarged_are_not_damaged() -> None:
    with pytest.raises(Unsupported, match="to be enlarged, not for s25"):
        TRACK.run(replace(cell("robust", "conv", "sample-mild-v1"), level="s25"), context())


def test_both_sets_in_one_command_with_a_record_each() -> None:
    def cases(**extra: str) -> list[str]:
        return [one.case for one in TRACK.cells([Conv.card], ["small"], ["x2"], Settings(extra=extra))]

    assert cases() == ["sample-mild-v1"]
    assert cases(**{"robust.set": "imagenet-c"}) == ["sample"]
    assert cases(**{"robust.set": "all"}) == ["sample-mild-v1", "sample"]
    mild, severe = (TRACK.inputs(cell("robust", "conv", case), Settings()) for case in ("sample-mild-v1", "sample"))
    assert mild["data"] == severe["data"] and mild["data"]
    assert mild["levels"]["noise"] == [1, 2, 3, 4, 5] and "severities" not in mild
    assert "damages" not in severe, "records of ImageNet-C from before there was another set stay done"


def mild(algo: str = "bicubic", **more: Any) -> Outcome:
    settings = {"allow_untrained": True, "preset": "smoke"} | more
    return TRACK.run(cell("robust", algo, "sample-mild-v1", 4), context(**settings))


def test_mild_damage_is_measured_as_the_gain_over_bicubic() -> None:
    outcome = mild()
    pairs = list(open_set("sample", 4))
    for kind in ("noise", "kernel", "jpeg"):
        expected = [score(resize(damage(p.given, p.truth, kind, 3), 4), p.truth, 4).psnr_y for p in pairs]
        assert outcome.samples[key(kind, 3)] == pytest.approx(expected, abs=1e-4)
        assert outcome.details["psnr_bicubic_damaged"][key(kind, 3)] == pytest.approx(expected, abs=1e-4)
    assert outcome.flags == ["sample_data", "partial_damages"] and outcome.details["damages"] == "mild-v1"
    assert outcome.details["values"]["noise"] == [4] and len(outcome.samples) == 7
    assert outcome.metrics["gain_clean_db"] == pytest.approx(0, abs=1e-4) and "gain_db" not in outcome.metrics


def test_the_seed_of_a_run_changes_no_mild_damage() -> None:
    assert mild().samples == mild(seed=1).samples


def test_progress_runs_from_nothing_to_all() -> None:
    told: list[float] = []
    made = context(allow_untrained=True, severities=(1,), extra=CHOSEN)
    watched = SimpleNamespace(**{**vars(made), "progress": lambda text, fraction: told.append(fraction)})
    TRACK.run(cell("robust", "bicubic"), watched)
    assert told == sorted(told) and len(told) == 15 and told[0] >= 0 and told[-1] < 1
