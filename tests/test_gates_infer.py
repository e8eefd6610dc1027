"""Networks that do other work while they are timed than what they are compared and counted by."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest
from gate_kit import SMALL, run_twin

from bench.packed.parity import Parity, worst, worst_parity
from tracks.infer.track import check_clock


def test_an_honest_network_gets_its_number() -> None:
    outcome = run_twin("infer", "Honest")
    assert outcome.metrics["speedup"] > 0 and outcome.details["input"]["crops"] == 3
    assert outcome.details["layer_calls"] >= len(outcome.kernels) == 32


def test_a_network_that_answers_nan_after_a_while_gets_no_number() -> None:
    with pytest.raises(RuntimeError, match=r"no parity, so no number.*nan of its range"):
        run_twin("infer", "NanLater")


@pytest.mark.parametrize("error", [nan, inf, 1e-3])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_outcome_among_good_ones_is_the_one_that_counts(error: float, place: int) -> None:
    good = Parity(3, (), 0.0, 1e-7, 1e-7)
    outcomes = [good] * 3
    outcomes[place] = replace(good, output_error=error)
    assert not worst_parity(outcomes).passed and worst_parity(outcomes).reason()
    assert worst_parity([good] * 3).passed
    assert not worst(outcome.output_error for outcome in outcomes) <= 1e-5


def test_a_network_that_does_less_while_timed_gets_no_number() -> None:
    with pytest.raises(RuntimeError, match=r"other work than was counted, so no number: .* ran 0 times in a pass"):
        run_twin("infer", "Remembers")


def test_a_network_that_remembers_its_outputs_gets_no_number() -> None:
    with pytest.raises(RuntimeError, match="no parity, so no number"):
        run_twin("infer", "KeepsFirst")


def test_a_slowed_clock_gives_no_number() -> None:
    settings = replace(SMALL, lr_size=(96, 64))
    with pytest.raises(RuntimeError, match="by the clock of the measuring process, so no number"):
        run_twin("infer", "SlowClock", settings, "slow_clock.py")


@pytest.mark.parametrize(
    ("inside", "outside", "fine"), [(10, 10.2, True), (0.1, 0.3, True), (1, 22, False), (nan, 1, False)]
)
def test_two_clocks_must_agree(inside: float, outside: float, fine: bool) -> None:
    if fine:
        check_clock(inside, outside)
        return
    with pytest.raises(RuntimeError, match="by the clock of the measuring process"):
        check_clock(inside, outside)
