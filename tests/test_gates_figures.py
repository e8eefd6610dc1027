"""Records whose own figures contradict each other, or are merely strange."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_records import record

from bench.records.plausible import contradictions, strange
from bench.records.record import RecordError, from_text, to_text
from bench.records.store import load

METRICS = {"latency_ms": 10.0, "fp32_latency_ms": 30.0, "speedup": 3.0, "speedup_theory": 4.0, "head_ms": 1.0}
SAMPLES = {
    "packed_ms": [10.0, 11.0, 9.0], "fp32_ms": [30.0, 33.0, 27.0], "packed_head_ms": [1.0, 1.0, 1.0],
    "packed_body_ms": [7.0, 8.0, 6.5], "fp_parts_ms": [8.0, 8.5, 8.2],
}  # fmt: skip


def test_figures_that_agree_pass() -> None:
    assert contradictions(METRICS, SAMPLES) == [] and strange(METRICS) == []
    assert contradictions({"params_k": 100.0, "fp_params_k": 500.0, "compression": 5.0}, {}) == []
    assert contradictions({"psnr_y": 31.0}, {"psnr_y": [30.0, 32.0]}) == []


@pytest.mark.parametrize(
    ("metrics", "samples", "words"),
    [
        ({"latency_ms": 5.0}, {}, "latency_ms is 5, the median of its samples 10"),
        ({"speedup": 22.0}, {}, "speedup is 22, that of its samples 3"),
        ({}, {"packed_body_ms": [7.0, 12.0, 6.5]}, "the parts of a pass took 13 ms, the whole 11 ms"),
        ({}, {"fp_parts_ms": [20.0, 21.0, 19.0]}, "its own full-precision modules alone 19 ms"),
        ({"speedup_theory": 1.2}, {}, "3 times as fast as full precision, theory allows 1.2"),
        ({}, {"packed_body_ms": [7.0, float("nan"), 6.5]}, "the parts of a pass took nan ms"),
        ({"psnr_y": 33.0}, {"psnr_y": [30.0, 32.0]}, "psnr_y is 33, the mean of its samples 31"),
        ({"ssim_y": 1.2}, {}, "ssim_y is 1.2, expected -1 to 1"),
        ({"params_k": 100.0, "fp_params_k": 500.0, "compression": 6.03}, {}, "compression is 6.03, fp_params_k"),
    ],
)
def test_figures_that_contradict_each_other_are_refused(
    metrics: dict[str, float], samples: dict[str, list[float]], words: str, tmp_path: Path
) -> None:
    metrics, samples = METRICS | metrics, SAMPLES | samples
    assert words in " ".join(contradictions(metrics, samples))
    if "nan" in words:
        return  # no record can hold it
    made = record("infer", "frb", "srresnet", 2, "320x180-t1", metrics, samples=samples)
    with pytest.raises(RecordError, match="its figures contradict each other"):
        from_text(to_text(made), tmp_path / made.relative_path)


@pytest.mark.parametrize("passes", [[0.2, 0.2, 0.2], [10.0, 11.0]])
def test_too_few_or_too_short_passes_are_not_held_against_a_bound(passes: list[float]) -> None:
    short = {"packed_ms": passes, "fp32_ms": [100.0] * len(passes), "fp_parts_ms": [90.0] * len(passes)}
    assert contradictions({"speedup_theory": 1.0}, short) == []
    assert contradictions({"speedup_theory": 1.0}, short | {"packed_ms": [10.0, 11.0, 10.0]})


def test_figures_that_are_merely_strange_are_flagged() -> None:
    assert strange(METRICS | {"over_bound": 0.9}) == ["below_bound"]
    assert strange(METRICS | {"speedup": 4.6}) == ["above_theory"]
    assert strange({"gap_db": -0.5}) == ["gains_from_damage"]


def test_no_committed_record_is_refused() -> None:
    loaded = load([Path(__file__).parents[1] / "results" / "reference"])
    assert loaded.records and not loaded.problems
