from __future__ import annotations

from algorithms.fp32 import CARD
from bench.nn.algorithm import Algorithm


class FullPrecision(Algorithm):
    """The backbone as it is: the reference every method is measured against."""

    card = CARD
    scope = frozenset()
