"""The few formulas all scores are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean of at least one value."""
    values = list(values)
    return sum(values) / len(values)


def quadratic_mean(values: Iterable[float]) -> float:
    """sqrt of the mean of squares: BiBench's way to join group means E (Qin et al., ICML 2023, Eqs. 3 to 8)."""
    return sqrt(mean(value * value for value in values))


def sample_sd(values: Sequence[float]) -> float | None:
    """Standard deviation with n - 1; None for fewer than two values."""
    if len(values) < 2:
        return None
    centre = mean(values)
    return sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1))


def gain_share(value: float, full: float, baseline: float, min_gain: float) -> float | None:
    """(value - baseline) / (full - baseline), clipped to [0, 1]; None where full gains less than ``min_gain``.

    Clipped before any squaring: a network below the baseline must not earn a positive score.
    """
    gain = full - baseline
    return None if gain < min_gain else min(1.0, max(0.0, (value - baseline) / gain))


def saving(ratio: float) -> float:
    """A ratio against full precision on (-1, 1): 1 - 1/r if r >= 1, else r - 1, so that saving(1/r) = -saving(r).

    It is the share of the cost saved, and does not depend on which other methods are in the table.
    """
    return 1.0 - 1.0 / ratio if ratio >= 1.0 else ratio - 1.0
