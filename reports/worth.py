"""The first sentence of a board: what its numbers are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from bench.contract.weight_labels import PAPERS, budget_of, spent
from bench.records.record import Record
from reports.known import Known

NEAR = Fraction(9, 10)
"""From this share of the papers' training on, weights count as trained as long."""


def worth(records: Sequence[Record], known: Known) -> str:
    """How the weights behind the scores were trained, against the papers' budget, in words. Never empty."""
    learnt = [
        record for record in records
        if record.cell.track == "accuracy" and record.status == "ok" and record.cell.backbone != "none"
    ]  # fmt: skip
    if not learnt:
        return "No trained network was scored here: these are costs and speed alone, and say nothing about quality."
    budgets = Counter(budget_of(record.flags) for record in learnt if "untrained" not in record.flags)
    if not budgets:
        return "Every network here has random weights: its costs and its speed are real, its quality says nothing."
    [(budget, _)] = budgets.most_common(1)
    return " ".join(filter(None, [_main(budget), _others(budgets, budget), _untrained(learnt, known)]))


def _main(budget: str | None) -> str:
    """The sentence on the budget that most networks had."""
    if not budget or not spent(budget):
        return (
            "What the training of these weights spent is not known, so their PSNR compares with nobody's until it is."
        )
    share = Fraction(spent(budget), spent(PAPERS))
    iterations, batch, patch = map(int, budget.split("x"))
    p_iterations, p_batch, p_patch = map(int, PAPERS.split("x"))
    if share >= NEAR:
        return f"These networks were trained as long as papers train theirs: {iterations:,} iterations of {batch}."
    return (
        f"These networks were trained for {_part(Fraction(iterations, p_iterations))} of the iterations that papers "
        f"spend, at {_part(Fraction(batch, p_batch))} of their batch: {iterations:,} iterations of {batch} patches of "
        f"{patch}x{patch} pixels against {p_iterations:,} of {p_batch} of {p_patch}x{p_patch}. Their PSNR is far below "
        "what the papers print and is not to be quoted for a method; what stands here is how methods compare when all "
        "are trained alike, what they cost, and how fast they run."
    )


def _others(budgets: Counter[str | None], main: str | None) -> str:
    others = sorted(str(budget) for budget in budgets if budget != main)
    return f"Some were trained otherwise, and say so in their flags: {', '.join(others)}." if others else ""


def _untrained(learnt: Iterable[Record], known: Known) -> str:
    names = dict.fromkeys(known.method(record.cell.algo) for record in learnt if "untrained" in record.flags)
    return f"Not trained at all: {', '.join(names)}." if names else ""


def _part(share: Fraction) -> str:
    """``1/300``, ``half``, ``all``: a share in words, rounded to one over a whole number below one half."""
    if share >= 1:
        return "all" if share == 1 else f"{float(share):.1f} times"
    if share > Fraction(1, 2):
        return f"{float(share):.0%}"
    return "half" if share == Fraction(1, 2) else f"1/{round(1 / share)}"
