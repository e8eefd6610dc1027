from __future__ import annotations

from bench.nn.algorithm import Algorithm
from fakes.algorithms.alpha import CARD


class Alpha(Algorithm):
    card = CARD
