"""Ranks that seeds cannot part, against a t test worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest
from score_records import accuracy, comp, infer

from bench.records.record import Record
from bench.scoring import ScoreTable, score
from bench.scoring.seeds import parting

T_4 = 2.7764451
"""Two-sided 5 % point of Student's t with 4 degrees of freedom, from a table."""


def test_the_least_significant_difference_by_hand() -> None:
    by_seed = {"a": [79.0, 80.0, 81.0], "b": [77.0, 78.0, 79.0], "c": [75.0]}
    ranks = {"a": 1, "b": 2, "c": 3}

    def together(a: float, b: float, c: float) -> dict[str, tuple[int, int]]:
        found = parting({"a": a, "b": b, "c": c}, by_seed, ranks, 0.05)
        assert (found.sd, found.freedom) == (pytest.approx(1.0), 4)
        return dict(found.together)

    three, one = T_4 * sqrt(2 / 3), T_4 * sqrt(1 / 3 + 1)  # of two means of three, and of three against one
    assert together(80.0, 80.0 - three + 0.01, 60.0) == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert together(80.0, 80.0 - three - 0.01, 60.0) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}
    assert together(80.0, 70.0, 70.0 - one + 0.01) == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}
    assert together(80.0, 70.0, 70.0 - one - 0.01) == {"a": (1, 1), "b": (2, 2), "c": (3, 3)}
    # not parted is not transitive: b is near both, a and c are not near each other
    assert together(80.0, 78.0, 76.0) == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_without_a_second_seed_nothing_is_known() -> None:
    assert parting({"a": 1.0, "b": 1.0}, {"a": [1.0], "b": [1.0]}, {"a": 1, "b": 1}, 0.05) is None
    assert parting({}, {}, {}, 0.05) is None


def trained(algo: str, *psnr: float) -> list[Record]:
    quality = [accuracy(algo, value, seed=seed) for seed, value in enumerate(psnr)]
    return [*quality, comp(algo, 4.0, 4.0), infer(algo, 2.0, 2.0)]


def table(*methods: list[Record]) -> ScoreTable:
    return score([accuracy("bicubic", 30.0), accuracy("fp32", 34.0), *(one for each in methods for one in each)])


def test_the_table_says_which_neighbours_seeds_cannot_part() -> None:
    close = table(trained("m", 33.0, 33.2, 32.8), trained("n", 32.9, 33.1, 32.7), trained("far", 31.0))
    # .2 dB between seeds of 4 dB gain: .05 of the task, a third of the overall score
    assert close.parting.sd == pytest.approx(100 * 0.05 / 3) and close.parting.freedom == 4
    assert dict(close.parting.together) == {"m": (1, 2), "n": (1, 2), "far": (3, 3)}
    apart = table(trained("m", 33.0, 33.02, 32.98), trained("n", 32.8, 32.82, 32.78))
    assert dict(apart.parting.together) == {"m": (1, 1), "n": (2, 2)}
    assert table(trained("m", 33.0), trained("n", 32.9)).parting is None
