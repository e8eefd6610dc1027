"""What each flag says, in words: the legend under a table and the tooltip on a flag."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.contract.weight_labels import budget_of, seed_of, spent

MEANINGS: dict[str, str] = {
    "unstable": "the timed samples spread by a tenth of their mean or more",
    "odd_range": "values of the output lie far outside those of any picture",
    "environment": "an environment variable that changes arithmetic or instruction sets was set; the record names it",
    "below_bound": "strange: faster than its own full-precision modules alone",
    "above_theory": "strange: faster than counting operations allows",
    "gains_from_damage": "strange: corrupted inputs raise its PSNR",
    "short_sample": "one sample took less than a millisecond, so the clock counts for something",
    "fewer_cpus": "fewer CPUs were allowed (affinity, control group) than threads ran",
    "load_beside": "something else kept a quarter of a CPU or more busy meanwhile",
    "untrained": "random weights: the number says nothing about quality and is not scored",
    "sample_data": "measured on photographs that scikit-image ships, not on a published test set",
    "unverified_data": "pictures that no manifest knows, so nobody can tell whether they are the published ones",
    "other_lr": "low-resolution inputs that are close to the published ones, but not bit for bit",
    "self_ensemble": "averaged over eight flips and turns",
    "padded_inputs": "pictures below 32 pixels were mirrored up to it before they were damaged, and cut back",
    "partial_damages": "not the whole set of damages was measured, so it is not scored",
    "other_damages": "this machine makes other pixels than the set's definition says, so it is not scored",
    "short_sweep": "even full precision stayed below bicubic in this sweep, so it is not scored",
    "dirty": "measured from a checkout with uncommitted changes",
}
TRAININGS = {
    "board": "trained by the board's one recipe",
    "printed": "trained by the board's recipe, from the start that its own paper has",
    "reference": "trained by its paper's recipe, shortened",
    "own": "the user's own weights",
}


def meaning(flag: str) -> str:
    """One sentence without its full stop; empty for a flag that speaks for itself."""
    if flag in MEANINGS:
        return MEANINGS[flag]
    budget = budget_of([flag])
    if budget is None:
        return ""
    whose, _, training = flag.partition("-") if flag.startswith("own-") else ("", "", flag)
    words = TRAININGS[whose or training.partition("-")[0]]
    if not spent(budget):
        return f"{words}; what their training spent is not known"
    iterations, batch, patch = budget.split("x")
    seed = f", seed {seed_of(flag)}" if seed_of(flag) else ""
    return f"{words}: {int(iterations):,} iterations of {batch} patches of {patch}x{patch} pixels{seed}"


def without_seed(flag: str) -> str:
    """A label of weights without the seed it ends in: rows name their seeds by themselves."""
    return re.sub(r"-s\d+$", "", flag) if budget_of([flag]) is not None else flag


def legend(flags: Iterable[str]) -> list[tuple[str, str]]:
    """(flag, what it says) of each flag that needs words, once, in alphabetical order."""
    return [(flag, words) for flag in sorted(set(flags)) if (words := meaning(flag))]
