"""Does a ranking of ours agree with a published one? Correlations, and every pair that stands the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import hypot

from scipy.stats import kendalltau, spearmanr

from bench.scoring.means import quadratic_mean, sample_sd

FEWEST = 3
"""Methods below which a rank correlation says nothing."""


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
    """How two rankings of the same methods compare."""

    methods: tuple[str, ...]
    """Best first, by the publication."""
    spearman: float | None
    kendall: float | None
    """tau-b. Both are None with fewer than `FEWEST` methods, or where all values are equal."""
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
    theirs, ours = [published[name] for name in names], [means[name] for name in names]
    enough = len(names) >= FEWEST and len(set(theirs)) > 1 and len(set(ours)) > 1
    return Agreement(
        tuple(names),
        float(spearmanr(theirs, ours).statistic) if enough else None,
        float(kendalltau(theirs, ours).statistic) if enough else None,
        tuple(sorted(flips, key=lambda flip: -flip.own_db)),
    )


def _spreads(own: Mapping[str, Sequence[float]]) -> dict[str, float] | None:
    known = {name: sd for name, values in own.items() if (sd := sample_sd(values)) is not None}
    if not known:
        return None
    pooled = quadratic_mean(known.values())
    return {name: known.get(name, pooled) for name in own}
