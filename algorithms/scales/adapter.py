from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.scales import CARD
from bench.nn.algorithm import Algorithm, Place, Recipe, Tag, tag
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import Unit


class SCALES(Algorithm):
    """The image itself shifts what the sign sees and rescales what the convolution gives, per channel and per pixel."""

    card = CARD
    backbones = ("srresnet", "edsr", "edsr_large", "rcan")
    block_shortcut = False
    recipe = Recipe(source="BBCU's")

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return RescaledUnit(cin, kernel)

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.LeakyReLU()


class RescaledUnit(nn.Module):
    """x + s * p * conv(sign(x + m)): (N, C, H, W) -> (N, C, H, W); s, m (N, C, 1, 1) and p (N, 1, H, W) depend on x."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.unit = Unit(channels, channels, kernel, weight=ChannelScaledSign(clip), act=Sign(poly))
        self.pixels = tag(nn.Conv2d(channels, 1, 1), Tag("attention"))
        self.channels = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            tag(nn.Conv2d(channels, 2 * channels, 1), Tag("attention")),
            nn.ReLU(),
            tag(nn.Conv2d(2 * channels, 2 * channels, 1), Tag("attention")),
        )

    def forward(self, x: Tensor) -> Tensor:
        shift, scale = self.channels(x).chunk(2, dim=1)
        return x + self.unit(x + shift) * (torch.sigmoid(self.pixels(x)) * torch.sigmoid(scale))
