"""Rounds over all engines in turn, and what one layer of each took."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from bench.packed.microbench.runs import BASELINE, DeepRun, Runs, build_runs
from bench.packed.microbench.shapes import Shape

MATRIX = 512
"""Side of the matrices whose product stands for the fp32 limit: 1 MB each, in the second-level cache or near it."""


@dataclass(frozen=True)
class Row:
    """One engine on one shape."""

    shape: str
    threads: int
    title: str
    ms: float | None
    """Median time of one layer; None where it cannot run"""
    iqr_ms: float | None
    speedup: float | None
    """Median over rounds of `BASELINE`'s time over this one's"""
    gmacs: float | None
    """Multiply-accumulates of one base, in 1e9 a second"""
    samples_ms: tuple[float, ...] = ()
    """Of one layer, a sample a round"""
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@torch.no_grad()
def interleaved(runs: Runs, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every run in every round, A B C, A B C, after one round that is not counted."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(-1, rounds):
        for name, run in runs.items():
            start = time.perf_counter_ns()
            run()
            if turn >= 0:
                samples[name].append((time.perf_counter_ns() - start) / 1e6)
    return samples


def bit_serial_bounds(samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Row -> at least so many milliseconds a layer of b-bit weights and inputs would take as b * b binary passes.

    Not measured: the layer of one base, and for every further pass what the second base of the layer of two costs, in
    the same round. Packing b planes instead of one is left out.
    """
    (one,) = (series for name, series in samples.items() if name.endswith(", 1 base"))
    (two,) = (series for name, series in samples.items() if name.endswith(", 2 bases"))
    further = np.maximum(two - one, 0)
    return {f"bit-serial {bits}-bit: lower bound, not measured": one + (bits**2 - 1) * further for bits in (2, 4)}


def time_shape(shape: Shape, threads: int, rounds: int) -> list[Row]:
    """All engines on one shape. Sets PyTorch's number of threads."""
    torch.set_num_threads(threads)
    runs, reasons = build_runs(shape, threads)
    layers = {name: run.layers if isinstance(run, DeepRun) else shape.length for name, run in runs.items()}
    samples = {name: np.asarray(series) / layers[name] for name, series in interleaved(runs, rounds).items()}
    samples |= bit_serial_bounds(samples)
    rows = []
    for name, series in samples.items():
        median = float(np.median(series))
        low, high = np.percentile(series, [25, 75])
        rows.append(
            Row(
                shape.title,
                threads,
                name,
                median,
                float(high - low),
                float(np.median(samples[BASELINE] / series)),
                shape.macs / median / 1e6,
                tuple(series.tolist()),
            )
        )
    rows += [Row(shape.title, threads, name, None, None, None, None, reason=why) for name, why in reasons.items()]
    return rows


def matrix_rate(threads: int, seconds: float = 0.3) -> float:
    """1e9 multiply-accumulates a second of PyTorch's own float32 matrix product, the best of many: a practical limit
    for full precision on this machine, clock and neighbours included."""
    torch.set_num_threads(threads)
    a, b = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    out, best, end = torch.empty(MATRIX, MATRIX), float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b, out=out)
        best = min(best, time.perf_counter() - start)
    return MATRIX**3 / best / 1e9
