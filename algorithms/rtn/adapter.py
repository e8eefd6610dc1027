from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.rtn import CARD
from bench.layer.spec import UniformInput
from bench.nn.algorithm import Algorithm, Place
from bench.nn.binarizers import standardize
from bench.nn.quantizers import ActQuantizer, Levels, QuantizedInput, WeightQuantizer
from bench.nn.uniform import clamp, first_batch, positive, round_half_even
from bench.nn.unit import plain_unit


class TernaryWeight(WeightQuantizer):
    """scale * (t + offset), t = round(clamp(W', -1, 1)) of the standardised weights: thresholds at +-1/2.

    The scale starts where scale * t fits W best (least squares), the offset at 0. Packed: t, and a plane of ones.
    """

    bits = 2
    bases = 2

    def __init__(self):
        super().__init__()
        self.scale, self.offset = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
        self.register_buffer("initialised", torch.tensor(False))

    def parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """(t, scale)"""
        t = round_half_even(clamp(standardize(weight, 1e-8), -1, 1))
        start = (weight * t).detach().sum() / t.detach().square().sum().clamp_min(1)
        if first_batch(self):
            self.scale.data.fill_(start)
        return t, torch.where(self.initialised, self.scale, start)

    def forward(self, weight: Tensor) -> Tensor:
        t, scale = self.parts(weight)
        return scale * (t + self.offset)

    @torch.no_grad()
    def export(self, weight: Tensor) -> Levels:
        t, scale = self.parts(weight)
        scales = torch.stack([scale.view(1), scale.view(1) * self.offset]).float().expand(2, len(weight))
        return Levels(torch.stack([t, torch.ones_like(t)]).to(torch.int8), scales.contiguous())


class TernaryAct(ActQuantizer):
    """scale * round(clamp(x / reach, -1, 1)): thresholds at half the reach, both learned.

    Both start at twice the mean |x| of the first training batch, at 1 until then.
    """

    bits = 2

    def __init__(self):
        super().__init__()
        self.scale, self.reach = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
        self.register_buffer("initialised", torch.tensor(False))

    def forward(self, x: Tensor) -> Tensor:
        if first_batch(self):
            self.scale.data.fill_(2 * x.detach().abs().mean())
            self.reach.data.copy_(self.scale)
        return round_half_even(clamp(x / positive(self.reach), -1, 1)) * self.scale

    def export(self, channels: int) -> QuantizedInput:
        reach, scale = positive(self.reach.detach()), self.scale.detach()
        return QuantizedInput(UniformInput(2, float(reach), -1, 1), float(scale))


class RTN(Algorithm):
    """Three values on both sides, rescaled and shifted by learned factors."""

    card = CARD
    scope = frozenset({"body", "linear"})

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return plain_unit(cin, cout, kernel, TernaryWeight(), TernaryAct())
