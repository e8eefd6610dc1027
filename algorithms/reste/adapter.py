from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from algorithms.reste import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.estimators import Estimator, sign
from bench.nn.quantizers import Sign, WeightQuantizer
from bench.nn.unit import Unit


class ReSTE(Algorithm):
    """Sign differentiates as a power function that bends from the identity towards the sign over the training."""

    card = CARD
    backbones = CNNS
    start = "kaiming"

    def __init__(self, last_exponent: float = 3.0):
        self.last_exponent = last_exponent

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        # The normalisation stands behind ReLU, where a negative gain would not fold into the layer.
        unit = Unit(
            cin, cout, kernel, weight=GradedLayerSign(Power()), act=Sign(Power()), nonlinearity=nn.ReLU()
        )  # fmt: skip
        return nn.Sequential(unit, nn.BatchNorm2d(cout))

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """The exponent grows from 1 along a quarter of a cosine, slowly first."""
        exponent = 1 + (1 - math.cos(progress * math.pi / 2)) * (self.last_exponent - 1)
        for unit in parts_of(network, Unit):
            unit.quantize_weight.estimator.exponent = unit.quantize_act.estimator.exponent = exponent


class Power:
    """(1/o) |x|^((1-o)/o), the slope of sign(x) |x|^(1/o), for 0.1 < |x| <= 1.5 and 0 beyond (ReSTE, eq. 9).

    Where |x| <= 0.1, the secant's slope 0.1^(1/o) / 0.1. ``exponent`` is o; at 1 this is the clipped identity.
    """

    def __init__(self, exponent: float = 1.0, inner: float = 0.1, outer: float = 1.5):
        self.exponent, self.inner, self.outer = exponent, inner, outer

    def __call__(self, x: Tensor) -> Tensor:
        o, size = self.exponent, x.abs()
        slope = size.clamp_min(self.inner) ** ((1 - o) / o) / o
        slope = torch.where(size <= self.inner, self.inner ** (1 / o) / self.inner, slope)
        return slope * (size <= self.outer).to(x.dtype)


class GradedLayerSign(WeightQuantizer):
    """alpha * sign(W), alpha = mean |W| of the layer, with the gradient of both factors."""

    def __init__(self, estimator: Estimator):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        return sign(weight, self.estimator) * weight.abs().mean()
