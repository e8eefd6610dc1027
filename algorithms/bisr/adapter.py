from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.bisr import CARD
from bench.layer.spec import SignInput
from bench.nn.algorithm import Algorithm, Place, Recipe
from bench.nn.estimators import clip, sign
from bench.nn.quantizers import ActQuantizer, ChannelScaledSign, QuantizedInput
from bench.nn.uniform import straight_through
from bench.nn.unit import RPReLU, Unit, skip_for


class BiSR(Algorithm):
    """Each channel is stretched and shifted before its sign, whose estimator learns how steep it is."""

    card = CARD
    scope = frozenset({"body", "linear"})
    block_shortcut = False
    recipe = Recipe(300_000, 16, 32, 1e-4, (0.9, 0.999), (200_000,), "BBCU's: the paper trains hyperspectral images")

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        linear = place == "linear"
        return Unit(
            cin, cout, kernel,
            weight=ChannelScaledSign(clip), act=AffineSign(cin), bias=linear,
            nonlinearity=None if linear else RPReLU(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()


class AffineSign(ActQuantizer):
    """sign(z), z = gain_c * x + offset_c, which differentiates as tanh(steepness * z) in z and in the steepness.

    Gain and offset are learned per input channel (1 and 0 at first), the steepness once a layer (1 at first).
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.steepness = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        z = self.gain * x + self.offset
        return straight_through(sign(z.detach()), torch.tanh(self.steepness * z))

    def export(self, channels: int) -> QuantizedInput:
        return QuantizedInput(threshold_of(self.gain.detach().flatten(), self.offset.detach().flatten()))


def threshold_of(gain: Tensor, offset: Tensor) -> SignInput:
    """The comparison that decides as gain * x + offset >= 0 does, for every float32 x but infinities and NaN.

    Float32 multiplication and addition are monotonic in x, so each channel has one float where the decision turns; it
    lies within a few units in the last place of -offset / gain.
    """

    def beyond(x: Tensor) -> Tensor:
        decided = gain * x + offset >= 0
        return torch.where(gain > 0, decided, ~decided)

    low, high = torch.full_like(gain, -torch.inf), torch.full_like(gain, torch.inf)
    at = -offset / gain
    for _ in range(8):
        below = torch.nextafter(at, low)
        at = torch.where(beyond(below), below, at)
    for _ in range(16):
        at = torch.where(beyond(at), at, torch.nextafter(at, high))
    constant = torch.where(offset >= 0, low, high)
    return SignInput(torch.where(gain == 0, constant, at), gain < 0)
