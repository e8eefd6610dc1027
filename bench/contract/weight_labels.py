"""Labels of a network's weights: by which training they were made, what it spent, and whose they are.

``board-1000x8x24`` (of another seed than 0 ``board-1000x8x24-s1``) were trained by the board's one recipe,
``printed-1000x8x24`` by the same recipe from the start that a method's own paper has, ``reference-1000x4x24`` by each
paper's recipe, shortened. In front of the user's own files stands ``own-``; ``own-1000x4x24`` is a paper's recipe again
and ``own-unknown`` comes from elsewhere. A budget is iterations x patches an iteration x side of the low-resolution
patch in pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

BOARD, PRINTED, REFERENCE, OWN = "board", "printed", "reference", "own"
UNKNOWN = "unknown"
"""Budget of weights that nobody can tell"""
PAPERS = "300000x16x32"
"""What papers of binary super-resolution spend on a network, as a budget: the default of `bench.nn.algorithm.Recipe`"""

_BUDGET = re.compile(r"(\d+)x(\d+)x(\d+)")
_TRAINING = rf"{OWN}-{BOARD}|{OWN}-{PRINTED}|{BOARD}|{PRINTED}|{REFERENCE}|{OWN}"
_LABEL = re.compile(rf"(?P<training>{_TRAINING})-(?P<budget>{_BUDGET.pattern}|{UNKNOWN})(?:-s(?P<seed>\d+))?")


def label(training: str, budget: object, seed: int = 0) -> str:
    """The label of weights; a budget that is not of the form ``1000x4x24`` is unknown."""
    known = isinstance(budget, str) and _BUDGET.fullmatch(budget)
    return f"{training}-{budget if known else UNKNOWN}" + (f"-s{seed}" if seed else "")


def own_training(preset: object) -> str:
    """The training of a user's own file that a run of ``preset`` made."""
    return f"{OWN}-{preset}" if preset in (BOARD, PRINTED) else OWN


def seed_of(label: str) -> int | None:
    """The seed that the project's own weights of this label were trained with; None for any other label."""
    match = _LABEL.fullmatch(label)
    return int(match["seed"] or 0) if match and not match["training"].startswith(OWN) else None


def budget_of(words: Iterable[str]) -> str | None:
    """The budget in the first of the ``words`` (labels among others, as a record's flags) that has one; else None."""
    return next((match["budget"] for word in words if (match := _LABEL.fullmatch(word))), None)


def training_of(words: Iterable[str]) -> str | None:
    """What two networks must share to be compared: ``board-1000x8x24``, or ``1000x4x24`` for a paper's own recipe.

    Of the first of the ``words`` that is a label, whoever trained it and with whatever seed; None without one.
    """
    for word in words:
        if match := _LABEL.fullmatch(word):
            recipe = match["training"].removeprefix(f"{OWN}-")
            return match["budget"] if recipe in (REFERENCE, OWN) else f"{recipe}-{match['budget']}"
    return None


def spent(budget: str) -> int:
    """Pixels of low-resolution patches that training saw under a budget; 0 for an unknown one."""
    match = _BUDGET.fullmatch(budget)
    return int(match[1]) * int(match[2]) * int(match[3]) ** 2 if match else 0
