from __future__ import annotations

from torch import nn

from algorithms.adabin import CARD
from algorithms.adabin.unit import AdaptiveUnit
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.unit import Unit


class AdaBin(Algorithm):
    """Two free values instead of -1 and +1: per filter for weights, read off them, per layer for inputs, learned."""

    card = CARD
    backbones = CNNS
    block_shortcut = False
    start = "kaiming"

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return AdaptiveUnit(cin, cout, kernel)

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """The weights' estimator sharpens as IR-Net's: t runs from 1e-3 to 10 at a constant rate of log t."""
        for unit in parts_of(network, Unit):
            unit.quantize_weight.estimator.t = 1e-3 * 1e4**progress
