from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.abcnet import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place
from bench.nn.binarizers import HalfSign, MultiBaseSign
from bench.nn.unit import Unit

ACT_BASES = 3


class ABCNet(Algorithm):
    """Weights and activations are each a sum of several binary bases; every pair of bases is a binary convolution."""

    card = CARD
    backbones = CNNS

    def __init__(self, per_layer: bool = False):
        self.per_layer = per_layer

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        weight = MultiBaseSign(self.card.bases, self.per_layer)
        return MultiThreshold(nn.BatchNorm2d(cin), Unit(cin, cout, kernel, weight=weight, act=HalfSign()))

    def nonlinearity(self, channels: int) -> nn.Module:
        """None: clipping to [0, 1] inside the activation bases is the method's nonlinearity."""
        return nn.Identity()


class MultiThreshold(nn.Module):
    """sum over n of factor_n * unit(norm(x) + shift_n). The shifted inputs run as one batch through one unit."""

    def __init__(self, norm: nn.BatchNorm2d, unit: Unit):
        super().__init__()
        self.norm, self.unit = norm, unit
        self.shift = nn.Parameter(torch.linspace(0, 1, ACT_BASES))
        self.factor = nn.Parameter(torch.full((ACT_BASES,), 1 / ACT_BASES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        outputs = self.unit(torch.cat([x + shift for shift in self.shift])).chunk(ACT_BASES)
        return sum(factor * output for factor, output in zip(self.factor, outputs, strict=True))
