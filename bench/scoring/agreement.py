"""Does a ranking of ours agree with a published one? Correlations with what they are worth, and every flipped pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from bench.scoring.means import quadratic_mean, sample_sd

FEWEST = 3
"""Methods below which a rank correlation says nothing."""
FEWEST_DRAWN = 5
"""Methods below which drawing them anew says nothing: of three that agree, every draw agrees."""
MOST_ORDERS = 8
"""Up to so many methods all orders are counted; beyond, SciPy's test stands in."""
DRAWS = 4000
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Flip:
    """A pair in the other order. ``better`` is so in the publication, ``worse`` is so here."""

    better: str
    worse: str
    published_db: float
    """Published advantage of ``better``, in dB; above 0."""
    own_db: float
    """Our advantage of ``worse``, in dB; above 0."""
    spread_db: float | None
    """Standard deviation between seeds of a difference of these two, in dB; None where no method has two seeds."""

    @property
    def beyond_spread(self) -> bool | None:
        """True when our difference is larger than seeds explain; None when nobody knows."""
        return None if self.spread_db is None else self.own_db > self.spread_db


@dataclass(frozen=True)
class Agreement:
    """How two rankings of the same methods compare. Correlations are None with fewer than `FEWEST` or all ties."""

    methods: tuple[str, ...]
    """Best first, by the publication."""
    spearman: float | None
    kendall: float | None
    """tau-b"""
    interval: tuple[float, float] | None
    """95 % of tau-b when the methods are drawn anew with replacement: what it would be had others been compared. None
    with fewer than `FEWEST_DRAWN` methods."""
    chance: float | None
    """Share of all orders of ours, each equally likely, whose tau-b is at least as high; exact up to `MOST_ORDERS`."""
    flips: tuple[Flip, ...]
    """Largest difference of ours first."""


def agree(own: Mapping[str, Sequence[float]], published: Mapping[str, float]) -> Agreement:
    """Compare method -> our PSNR of each seed, in dB, with method -> published PSNR; methods in both count.

    A method's spread is the sample standard deviation between its seeds; a method with one seed takes the quadratic
    mean of the others'. The spread of a pair is the root of the sum of both squares.
    """
    names = sorted((name for name in published if own.get(name)), key=lambda name: (-published[name], name))
    means = {name: sum(own[name]) / len(own[name]) for name in names}
    spread = _spreads({name: own[name] for name in names})
    flips = [
        Flip(first, second, published[first] - published[second], means[second] - means[first],
             None if spread is None else hypot(spread[first], spread[second]))
        for first, second in combinations(names, 2)
        if published[first] > published[second] and means[second] > means[first]
    ]  # fmt: skip
    theirs, ours = (np.array([each[name] for name in names]) for each in (published, means))
    enough = len(names) >= FEWEST and len(set(theirs)) > 1 and len(set(ours)) > 1
    return Agreement(
        tuple(names),
        float(spearmanr(theirs, ours).statistic) if enough else None,
        float(kendalltau(theirs, ours).statistic) if enough else None,
        _interval(theirs, ours) if enough and len(names) >= FEWEST_DRAWN else None,
        _chance(theirs, ours) if enough else None,
        tuple(sorted(flips, key=lambda flip: -flip.own_db)),
    )


def _interval(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> tuple[float, float]:
    """Bootstrap over methods; draws of which all values of one side are equal say nothing and are left out."""
    drawn = np.random.default_rng(0).integers(len(ours), size=(DRAWS, len(ours)))
    agreeing, pairs_theirs, pairs_ours = (
        (a * b)[drawn[:, :, None], drawn[:, None, :]].sum((1, 2))
        for a, b in ((_signs(theirs), _signs(ours)), (_signs(theirs),) * 2, (_signs(ours),) * 2)
    )
    known = (pairs_theirs > 0) & (pairs_ours > 0)
    taus = agreeing[known] / np.sqrt(pairs_theirs[known] * pairs_ours[known])
    low, high = np.quantile(taus, INTERVAL)
    return float(low), float(high)


def _chance(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> float:
    if len(ours) > MOST_ORDERS:
        return float(kendalltau(theirs, ours, alternative="greater").pvalue)
    orders = np.array(list(permutations(range(len(ours)))))
    signs, found = _signs(theirs), np.zeros(len(orders), int)
    mine = _signs(ours)
    for first, second in combinations(range(len(ours)), 2):
        found += signs[first, second] * mine[orders[:, first], orders[:, second]]
    return float(np.mean(found >= found[0]))


def _signs(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(i, j) -> sign of value i minus value j"""
    return np.sign(values[:, None] - values[None, :]).astype(np.int64)


def _spreads(own: Mapping[str, Sequence[float]]) -> dict[str, float] | None:
    known = {name: sd for name, values in own.items() if (sd := sample_sd(values)) is not None}
    if not known:
        return None
    pooled = quadratic_mean(known.values())
    return {name: known.get(name, pooled) for name in own}
