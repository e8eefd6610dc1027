"""Timings of two sets of runs, judged by the ratio to full precision of the same run and by how much runs differ.

Neighbours on a machine move absolute times by half; the ratio to full precision, timed in turn in the same process,
stays within a few percent from run to run. Samples within one run cannot show how far runs lie apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt

from scipy.stats import false_discovery_control, t

from bench.contract import Better

RATIOS = ("speedup", "train_speedup")
"""Metrics that are ratios to full precision in the same run"""
USUAL_SPREAD = 0.03
"""Standard deviation of a ratio's logarithm from run to run where no repeated runs show it: measured are 2 to 4 %."""
LEAST_SPREAD = 0.01
"""No few runs show that runs are closer together than this."""
FREEDOM = 4
"""Repeated runs, beyond the first of each cell and side, from which their own spread is taken."""


@dataclass(frozen=True)
class Timed:
    """One ratio of one cell: a value for each run of either side."""

    cell: str
    metric: str
    better: Better
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def means(self) -> tuple[float, float]:
        """Geometric means of both sides."""
        return _mean(self.before), _mean(self.after)

    @property
    def growth(self) -> float:
        """Logarithm of the second mean over the first."""
        return log(self.means[1] / self.means[0])


def spread(timed: Iterable[Timed]) -> tuple[float, float]:
    """(standard deviation of a run's log ratio, degrees of freedom), pooled over all cells and both sides."""
    squares, freedom = 0.0, 0
    for side in (side for each in timed for side in (each.before, each.after)):
        middle = log(_mean(side))
        squares += sum((log(value) - middle) ** 2 for value in side)
        freedom += len(side) - 1
    if freedom < FREEDOM:
        return USUAL_SPREAD, inf
    return max(LEAST_SPREAD, sqrt(squares / freedom)), float(freedom)


def judge(timed: Sequence[Timed], alpha: float, least: float) -> list[tuple[Timed, float]]:
    """Those that changed by at least ``least`` percent and, corrected for their number, with p below ``alpha``.

    p is that of Student's t of the difference of mean log ratios; the correction is Benjamini and Hochberg's (1995).
    Where nothing has changed, the chance that anything is told on a whole board is ``alpha`` at most.
    """
    if not timed:
        return []
    deviation, freedom = spread(timed)
    p = [_p(each, deviation, freedom) for each in timed]
    corrected = false_discovery_control(p)
    return [
        (each, float(value))
        for each, value in zip(timed, corrected, strict=True)
        if value < alpha and abs(exp(each.growth) - 1) >= least / 100
    ]


def _p(timed: Timed, deviation: float, freedom: float) -> float:
    error = deviation * sqrt(1 / len(timed.before) + 1 / len(timed.after))
    return float(2 * t.sf(abs(timed.growth) / error, freedom))


def _mean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))
