"""How far a ranking depends on the choice of tracks and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau


@dataclass(frozen=True)
class Stability:
    """What happens to the ranks of the ranked methods when the weights change."""

    without: Mapping[str, Mapping[str, int]]
    """Part left out -> method -> rank."""
    tau: Mapping[str, float]
    """Part left out -> Kendall's tau-b between that ranking and the full one."""
    ranks: Mapping[str, tuple[int, int]]
    """Method -> (best, worst) rank over all leave-one-out rankings and 90 % of the random weightings."""
    first: Mapping[str, float]
    """Method -> share of random weightings in which it comes first, in [0, 1]."""


def ranks_of(overall: Mapping[str, float]) -> dict[str, int]:
    """Rank 1 is the largest value; values equal to nine digits share the better rank."""
    rounded = {key: round(value, 9) for key, value in overall.items()}
    return {key: 1 + sum(other > value for other in rounded.values()) for key, value in rounded.items()}


def weighted(parts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Weighted mean of the parts that carry weight, times 100."""
    total = sum(weights.values())
    return 100 * sum(weight * parts[key] for key, weight in weights.items() if weight > 0) / total


def stability(
    methods: Mapping[str, Mapping[str, float]], weights: Mapping[str, float], draws: int, seed: int
) -> Stability | None:
    """Rank intervals of methods (key -> part -> scaled value); None for fewer than two methods or parts."""
    parts = [key for key, weight in weights.items() if weight > 0]
    names = list(methods)
    if len(names) < 2 or len(parts) < 2:
        return None
    full = ranks_of({name: weighted(methods[name], weights) for name in names})
    without = {}
    for left_out in parts:
        rest = {key: weights[key] for key in parts if key != left_out}
        without[left_out] = ranks_of({name: weighted(methods[name], rest) for name in names})
    order = [full[name] for name in names]
    tau = {key: float(kendalltau(order, [ranks[name] for name in names])[0]) for key, ranks in without.items()}

    values = np.array([[methods[name][key] for key in parts] for name in names])
    drawn = np.random.default_rng(seed).dirichlet(np.ones(len(parts)), size=draws) @ values.T
    drawn_ranks = 1 + (drawn[:, None, :] > drawn[:, :, None]).sum(axis=2)
    low, high = np.quantile(drawn_ranks, [0.05, 0.95], axis=0, method="nearest").astype(int)
    alone = {name: [full[name], *(ranks[name] for ranks in without.values())] for name in names}
    return Stability(
        without=without,
        tau=tau,
        ranks={n: (min(int(low[i]), *alone[n]), max(int(high[i]), *alone[n])) for i, n in enumerate(names)},
        first={name: float((drawn_ranks[:, i] == 1).mean()) for i, name in enumerate(names)},
    )
