"""Do the figures of one record agree with each other? Standard library only.

A rule speaks where all that it compares is there; a record without samples is judged by its metrics alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from statistics import median

from bench.contract.gates import gate

Metrics = Mapping[str, float]
Samples = Mapping[str, Sequence[float]]

MEDIANS = {
    "latency_ms": "packed_ms", "fp32_latency_ms": "fp32_ms", "head_ms": "packed_head_ms", "body_ms": "packed_body_ms",
    "upsampler_ms": "packed_upsampler_ms", "tail_ms": "packed_tail_ms", "fp_parts_ms": "fp_parts_ms",
    "layers_ms": "layers_ms", "step_ms": "step_ms", "fp32_step_ms": "fp32_step_ms",
}  # fmt: skip
"""Metric -> the series that it is the median of."""
MEANS = ("psnr_clean", "ssim_y")
"""Metrics that are means of a series of their own name; `psnr_y` is one too where a record has the metric."""
RATIOS = {"speedup": ("fp32_ms", "packed_ms"), "train_speedup": ("fp32_step_ms", "step_ms")}
"""Metric -> two series; it is the median of their quotients round by round."""
QUOTIENTS = {"compression": ("fp_params_k", "params_k"), "speedup_theory": ("fp_ops_g", "ops_g")}
"""Metric -> the two metrics that it is the quotient of."""
LIMITS = {"psnr_y": (0.0, 100.0), "psnr_clean": (0.0, 100.0), "ssim_y": (-1.0, 1.0)}
FEWEST_ROUNDS, SHORTEST_MS = 3, 1.0
"""Below either the fastest of a few short passes says more of what else the machine did than of the network, so that it
is not held against a bound; such records carry the flag ``short_sample`` or ``unstable``."""
PARTS = tuple(f"packed_{part}_ms" for part in ("head", "body", "upsampler", "tail"))

MOST = 1e12
"""Larger than any figure of any track in its unit."""
IMPOSSIBLE_BOUND, STRANGE_BOUND = 0.8, 0.97
"""Latency over its own full-precision modules alone, below which it cannot and should not be."""
IMPOSSIBLE_THEORY, STRANGE_THEORY = 2.0, 1.1
"""Measured over theoretical speed-up, above which it cannot and should not be."""


@gate("refused", broken_by="tests/test_gates_figures.py::test_figures_that_contradict_each_other_are_refused")
def contradictions(metrics: Metrics, samples: Samples) -> list[str]:
    """A record's figures agree with each other: every median, mean and ratio is that of its samples; in each round the
    parts take no longer than the whole; the fastest pass is not below its own full-precision modules alone, nor twice
    as fast as theory allows; nothing is larger than measurements get. Asked when a record is made and
    whenever one is read.
    """
    return [*_sizes(metrics, samples), *_statistics(metrics, samples), *_bounds(metrics, samples)]


@gate("flagged", broken_by="tests/test_gates_figures.py::test_figures_that_are_merely_strange_are_flagged")
def strange(metrics: Metrics) -> list[str]:
    """Figures that are possible but strange: `below_bound`, a latency under that of its own full-precision modules;
    `above_theory`, a speed-up more than a tenth above the theoretical one; `gains_from_damage`, a PSNR that corrupted
    inputs raise.
    """
    told = {
        "below_bound": metrics.get("over_bound", 1.0) < STRANGE_BOUND,
        "above_theory": metrics.get("speedup", 0.0) > STRANGE_THEORY * metrics.get("speedup_theory", float("inf")),
        "gains_from_damage": metrics.get("gap_db", 0.0) < -0.1,
    }
    return [flag for flag, holds in told.items() if holds]


def _sizes(metrics: Metrics, samples: Samples) -> Iterator[str]:
    for name, value in [*metrics.items(), *((name, value) for name, series in samples.items() for value in series)]:
        if not isfinite(value):
            yield f"{name} is not a finite number"
            break
        if abs(value) > MOST:
            yield f"{name} is {value:.4g}, and no measurement reaches {MOST:g}"
            break


def _statistics(metrics: Metrics, samples: Samples) -> Iterator[str]:
    for name, series in MEDIANS.items():
        if name in metrics and samples.get(series):
            yield from _differs(name, metrics[name], "the median of its samples", median(samples[series]))
    for name in (*MEANS, "psnr_y"):
        if name in metrics and (values := samples.get(name)):
            yield from _differs(name, metrics[name], "the mean of its samples", sum(values) / len(values))
    for name, (above, below) in RATIOS.items():
        pairs = list(zip(samples.get(above, ()), samples.get(below, ()), strict=False))
        if name in metrics and pairs and all(under > 0 for _, under in pairs):
            yield from _differs(name, metrics[name], "that of its samples", median(a / b for a, b in pairs))
    for name, (above, below) in QUOTIENTS.items():
        if {name, above, below} <= metrics.keys() and metrics[below] > 0:
            yield from _differs(name, metrics[name], f"{above} / {below}", metrics[above] / metrics[below])


def _bounds(metrics: Metrics, samples: Samples) -> Iterator[str]:
    whole, parts = samples.get("packed_ms", ()), [samples[part] for part in PARTS if part in samples]
    for total, *inside in zip(whole, *parts, strict=False):
        if not sum(inside) <= 1.001 * total + 0.01:
            yield f"the parts of a pass took {sum(inside):.4g} ms, the whole {total:.4g} ms"
            break
    for name, (low, high) in LIMITS.items():
        if name in metrics and not low <= metrics[name] <= high:
            yield f"{name} is {metrics[name]:.4g}, expected {low:g} to {high:g}"
    alone, full = samples.get("fp_parts_ms"), samples.get("fp32_ms")
    if len(whole) < FEWEST_ROUNDS or not min(whole) >= SHORTEST_MS:
        return
    if alone and not min(whole) >= IMPOSSIBLE_BOUND * min(alone):
        yield f"the network took {min(whole):.4g} ms, its own full-precision modules alone {min(alone):.4g} ms"
    theory = metrics.get("speedup_theory")
    if full and theory and not min(full) <= IMPOSSIBLE_THEORY * theory * min(whole):
        yield f"it is {min(full) / min(whole):.3g} times as fast as full precision, theory allows {theory:.3g}"


def _differs(name: str, value: float, what: str, expected: float) -> Iterator[str]:
    if not abs(value - expected) <= 1e-6 * max(abs(expected), 1e-6):
        yield f"{name} is {value:.6g}, {what} {expected:.6g}"
