from __future__ import annotations

from bench.nn.algorithm import Algorithm
from fakes.algorithms.beta import CARD


class Beta(Algorithm):
    card = CARD
