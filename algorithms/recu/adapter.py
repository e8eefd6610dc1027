from __future__ import annotations

import math

from torch import nn

from algorithms.recu import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.binarizers import ImageScaledSign, RectifiedSign
from bench.nn.blocks import BoundedBlock, fit_bounds
from bench.nn.estimators import poly
from bench.nn.unit import Unit, skip_for


class ReCU(Algorithm):
    """Weights far out, whose sign hardly ever changes, are clamped to a quantile that moves outwards in training."""

    card = CARD
    backbones = CNNS
    block_shortcut = False

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=RectifiedSign(cout), act=ImageScaledSign(poly), norm=nn.BatchNorm2d(cout),
            skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        return BoundedBlock(self, channels, res_scale, attention)

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        return network if self.as_printed else fit_bounds(network, backbone)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """tau rises from 0.85 to 0.99, slowly first."""
        tau = 0.85 + 0.14 * (math.exp(progress) - 1) / (math.e - 1)
        for quantizer in parts_of(network, RectifiedSign):
            quantizer.tau = tau
