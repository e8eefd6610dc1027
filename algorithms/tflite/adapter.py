from __future__ import annotations

from torch import nn

from algorithms.tflite import CARDS
from bench.nn.algorithm import Algorithm, Place, parts_of
from bench.nn.uniform import MaxWeight, MinMaxWeight
from bench.nn.uniform_act import RunningRange
from bench.nn.unit import plain_unit

DELAY = 0.1
"""Share of the run in which activations are watched but not yet quantized."""


class TFLite(Algorithm):
    """Affine integers: weights on their present range, activations on a running one. Nothing but weights is learned."""

    scope = frozenset({"body", "linear"})

    def __init__(self, affine_weights: bool = False):
        self.weight = MinMaxWeight if affine_weights else MaxWeight

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        bits = self.card.bits_w
        return plain_unit(cin, cout, kernel, self.weight(bits), RunningRange(bits))

    def on_progress(self, network: nn.Module, progress: float) -> None:
        for act in parts_of(network, RunningRange):
            act.delayed = progress < DELAY


class TFLite4(TFLite):
    card = CARDS[0]


class TFLite8(TFLite):
    card = CARDS[1]
