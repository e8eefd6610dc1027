"""Which methods the seeds of their trainings cannot part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from scipy.stats import t as student

from bench.scoring.means import sample_sd


@dataclass(frozen=True)
class Parting:
    """What seeds explain of the differences between overall scores."""

    sd: float
    """Standard deviation of one seed's overall score, pooled over all methods with several seeds."""
    freedom: int
    """Its degrees of freedom: seeds less methods."""
    together: Mapping[str, tuple[int, int]]
    """Method -> best and worst rank of those that cannot be parted from it, itself included."""


def parting(
    overall: Mapping[str, float], by_seed: Mapping[str, Sequence[float]], ranks: Mapping[str, int], level: float
) -> Parting | None:
    """Least significant differences between ranked methods; None where no method has two seeds.

    Args:
        overall: method -> overall score.
        by_seed: method -> overall score of each seed; a method with one seed takes the others' deviation.
        ranks: method -> rank under ``overall``.
        level: chance of telling two equal methods apart, for one pair.
    """
    several = {name: values for name, values in by_seed.items() if len(values) > 1}
    freedom = sum(len(values) - 1 for values in several.values())
    if not freedom:
        return None
    squares = sum((sample_sd(values) or 0.0) ** 2 * (len(values) - 1) for values in several.values())
    sd = sqrt(squares / freedom)
    limit = float(student.ppf(1 - level / 2, freedom)) * sd

    def near(one: str, other: str) -> bool:
        counts = (max(len(by_seed.get(name, ())), 1) for name in (one, other))
        return abs(overall[one] - overall[other]) <= limit * sqrt(sum(1 / count for count in counts))

    neighbours = {one: [ranks[other] for other in overall if near(one, other)] for one in overall}
    return Parting(sd, freedom, {name: (min(found), max(found)) for name, found in neighbours.items()})
