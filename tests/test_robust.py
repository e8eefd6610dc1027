"""The robust track: curves that scoring can read, reproducible damage, gaps, refusals."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sr_networks import Conv, cell, context

from bench.contract import Outcome, Settings, Unsupported, UserError
from bench.pictures.corruptions import EXTRA, STANDARD, corrupt
from bench.pictures.metrics import score
from bench.pictures.resize import resize
from bench.scoring.evidence import Measured
from bench.scoring.robust import curve
from bench.scoring.rule import ScoringRule
from bench.tasks.sr.datasets import open_set
from tracks.robust.track import TRACK, key, summarize

CHOSEN = {"robust.corruptions": "gaussian_noise,fog,jpeg_compression"}


def run(algo: str = "bicubic", scale: int = 2, **more: Any) -> Outcome:
    settings = {"allow_untrained": True, "severities": (1, 4), "extra": CHOSEN} | more
    return TRACK.run(cell("robust", algo, "sample", scale), context(**settings))


def test_values_are_those_of_the_corrupted_input_against_the_clean_original() -> None:
    outcome = run()
    for place, pair in enumerate(open_set("sample", 2)):
        for name, severity in (("fog", 1), ("gaussian_noise", 4)):
            sr = resize(corrupt(pair.lr, name, severity).image, 2)
            got = outcome.samples[key(name, severity)][place]
            assert got == pytest.approx(score(sr, pair.hr, 2).psnr_y, abs=1e-4)
        clean = score(resize(pair.lr, 2), pair.hr, 2).psnr_y
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
    assert len(points) == 5 * len(STANDARD + EXTRA) == 95
    assert {metric.better for metric in points} == {"higher"} and declared["gap_db"].better == "lower"


def test_gaps_are_floored_and_related_to_the_gain() -> None:
    """Clean 30 dB; one corruption helps by 1 dB, one costs 3 dB. Bicubic 28 dB."""
    rule = ScoringRule()
    curves = {("fog", 1): [31.0, 31.0], ("snow", 1): [26.0, 28.0]}
    metrics, gaps = summarize([29.0, 31.0], [28.0, 28.0], curves, rule)
    assert gaps == {"fog": [-1.0], "snow": [3.0]}
    assert metrics["gap_db"] == pytest.approx(1.0)
    assert metrics["gap_floored_db"] == pytest.approx((rule.robust_min_gap_db + 3.0) / 2)
    assert metrics["relative_gap"] == pytest.approx(metrics["gap_floored_db"] / 2.0)
    assert metrics["psnr_corrupted"] == pytest.approx(29.0) and metrics["psnr_snow_s1"] == pytest.approx(27.0)
    collapsed, _ = summarize([28.2, 28.2], [28.0, 28.0], curves, rule)
    assert "relative_gap" not in collapsed


def test_small_inputs_are_padded_and_it_is_said() -> None:
    outcome = run(scale=8)  # 240 / 8 = 30 pixels
    assert "padded_inputs" in outcome.flags and outcome.details["padded"] == 5 * 6
    assert "padded_inputs" not in run().flags


def test_refusals_come_before_the_run() -> None:
    def cells(**settings: Any) -> list:
        return TRACK.cells([Conv.card], ["small"], [2], Settings(**settings))

    assert [c.case for c in cells()] == ["sample"]
    with pytest.raises(UserError, match="unknown corruption rain"):
        cells(extra={"robust.corruptions": "fog,rain"})
    for value in (3, (640, 360), ""):
        with pytest.raises(UserError, match="unknown corruption"):
            cells(extra={"robust.corruptions": value})
    with pytest.raises(UserError, match="memory_mb=0: expected"):
        cells(extra={"robust.memory_mb": 0})
    with pytest.raises(UserError, match="severities"):
        cells(severities=(0, 1))
    with pytest.raises(Unsupported, match="no trained weights"):
        TRACK.run(cell("robust", "conv"), context())


def test_the_fingerprint_names_corruptions_and_severities() -> None:
    one = cell("robust", "conv")
    base = TRACK.inputs(one, Settings())
    assert base["corruptions"] == list(STANDARD) and base["severities"] == [1, 2, 3, 4, 5]
    assert TRACK.inputs(one, Settings(severities=(3, 1)))["severities"] == [1, 3]
    assert TRACK.inputs(one, Settings(extra={"robust.corruptions": "all"}))["corruptions"] == list(STANDARD + EXTRA)


def test_progress_runs_from_nothing_to_all() -> None:
    told: list[float] = []
    made = context(allow_untrained=True, severities=(1,), extra={"robust.corruptions": "fog"})
    watched = SimpleNamespace(**{**vars(made), "progress": lambda text, fraction: told.append(fraction)})
    TRACK.run(cell("robust", "bicubic"), watched)
    assert told == sorted(told) and len(told) == 5 and told[0] >= 0 and told[-1] < 1
