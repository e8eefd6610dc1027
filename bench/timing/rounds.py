"""Interleaved timing and what may be said about the samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from bench.timing.clock import now
from bench.timing.memory import page_faults

UNSTABLE_SPREAD = 0.10
"""Standard deviation over mean from which samples count as unstable (the rule of pyperf)."""
SHORT_SAMPLE_MS = 1.0
"""A raw sample below this is too close to the clock's and the scheduler's grain (the rule of pyperf)."""
P99_SAMPLES = 662
"""Fewest samples for a 99th percentile: with fewer it rests on the few slowest of them."""


@dataclass
class Series:
    """Samples of one network, in milliseconds, whole and by part."""

    total: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)


class PartTimer:
    """Records how long each named part of a network took in each forward pass."""

    def __init__(self, network: nn.Module, names: tuple[str, ...]):
        self.series: dict[str, list[float]] = {}
        self._started: dict[str, int] = {}
        for name in names:
            part = getattr(network, name, None)
            if part is not None:
                self.series[name] = []
                part.register_forward_pre_hook(lambda *_, n=name: self._started.update({n: now()}))
                part.register_forward_hook(lambda *_, n=name: self._stop(n))

    def _stop(self, name: str) -> None:
        self.series[name].append((now() - self._started[name]) / 1e6)

    def clear(self) -> None:
        for samples in self.series.values():
            samples.clear()


def interleave(
    runs: dict[str, Callable[[], Any]],
    warmups: int,
    repeats: int,
    after: Callable[[str, int, Any], None],
    before: Callable[[int], None] = lambda turn: None,
) -> tuple[dict[str, list[float]], dict[str, list[int]]]:
    """Time each of ``runs`` once a round, A B A B ..., after ``warmups`` untimed rounds; every sample is kept.

    Returns milliseconds and page faults, a sample a round. ``after(name, round, output)`` is called outside the timed
    region, for warm-ups too (round < 0), as is ``before(round)`` ahead of each round.
    """
    samples: dict[str, list[float]] = {name: [] for name in runs}
    faults: dict[str, list[int]] = {name: [] for name in runs}
    for turn in range(-warmups, repeats):
        before(turn)
        for name, run in runs.items():
            faulted = page_faults()
            start = now()
            output = run()
            elapsed = (now() - start) / 1e6
            if turn >= 0:
                samples[name].append(elapsed)
                faults[name].append(page_faults() - faulted)
            after(name, turn, output)
    return samples, faults


def summarize(samples: list[float], seed: int = 0) -> dict[str, float]:
    """Median, interquartile range, and the 95% bootstrap interval of the median; p99 only from `P99_SAMPLES` on."""
    values = np.asarray(samples)
    low, median, high = np.percentile(values, [25, 50, 75])
    resampled = np.median(np.random.default_rng(seed).choice(values, (2000, len(values))), axis=1)
    ci_low, ci_high = np.percentile(resampled, [2.5, 97.5])
    summary = {"median": median, "iqr": high - low, "ci_low": ci_low, "ci_high": ci_high}
    if len(values) >= P99_SAMPLES:
        summary["p99"] = np.percentile(values, 99)
    return {key: float(value) for key, value in summary.items()}


def timing_flags(samples: list[float]) -> list[str]:
    """``unstable`` and ``short_sample`` where the samples deserve them."""
    values = np.asarray(samples)
    flags = []
    if len(values) > 1 and values.std(ddof=1) >= UNSTABLE_SPREAD * values.mean():
        flags.append("unstable")
    if values.min() < SHORT_SAMPLE_MS:
        flags.append("short_sample")
    return flags
