"""Labels of a network's weights: whose they are, and what their training spent.

``reference-1000x4x24`` (of another seed than 0 ``reference-1000x4x24-s1``) are the project's, ``own-1000x4x24`` the
user's from ``run_bench.py train``, ``own-unknown`` the user's from elsewhere. A budget is iterations x patches an
iteration x side of the low-resolution patch in pixels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

REFERENCE, OWN = "reference", "own"
UNKNOWN = "unknown"
"""Budget of weights that nobody can tell"""

_BUDGET = re.compile(r"(\d+)x(\d+)x(\d+)")
_LABEL = re.compile(rf"(?P<whose>{REFERENCE}|{OWN})-(?P<budget>{_BUDGET.pattern}|{UNKNOWN})(?:-s(?P<seed>\d+))?")


def label(whose: str, budget: object, seed: int = 0) -> str:
    """The label of weights; a budget that is not of the form ``1000x4x24`` is unknown."""
    known = isinstance(budget, str) and _BUDGET.fullmatch(budget)
    return f"{whose}-{budget if known else UNKNOWN}" + (f"-s{seed}" if seed else "")


def seed_of(label: str) -> int | None:
    """The seed that reference weights of this label were trained with; None for any other label."""
    match = _LABEL.fullmatch(label)
    return int(match["seed"] or 0) if match and match["whose"] == REFERENCE else None


def budget_of(labels: Iterable[str]) -> str | None:
    """The budget in the first of the ``labels`` (or other words, as a record's flags) that is one; None without."""
    return next((match["budget"] for word in labels if (match := _LABEL.fullmatch(word))), None)


def spent(budget: str) -> int:
    """Pixels of low-resolution patches that training saw under a budget; 0 for an unknown one."""
    match = _BUDGET.fullmatch(budget)
    return int(match[1]) * int(match[2]) * int(match[3]) ** 2 if match else 0
