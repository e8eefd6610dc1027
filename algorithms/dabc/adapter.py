from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from algorithms.dabc import CARD
from bench.nn.algorithm import Algorithm, Place, Recipe, Tag, tag
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import RPReLU, Unit


class DABC(Algorithm):
    """Each image rescales the binary convolution's channels by what its own features look like."""

    card = CARD
    backbones = ("srresnet", "edsr", "edsr_large", "rcan")
    block_shortcut = False
    recipe = Recipe(300_000, 16, 32, 2e-4, (0.9, 0.999), (200_000,), "BBCU's at the official rate: raw video there")

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return ImageScaledUnit(cin, kernel)

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()


class ImageScaledUnit(nn.Module):
    """x + RPReLU(s * conv(sign(x + shift))): (N, C, H, W) -> (N, C, H, W), s in (0, 1) for each image and channel."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.unit = Unit(channels, channels, kernel, weight=ChannelScaledSign(clip), act=Sign(poly))
        reach = int(math.log2(channels) + 1) // 2 | 1  # odd: 3 for 64 channels
        self.neighbours = tag(nn.Conv1d(3, 1, reach, padding=reach // 2, bias=False), Tag("attention"))
        self.bend = RPReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        z = x + self.shift
        return x + self.bend(self.unit(z) * self.scale(z))

    def scale(self, z: Tensor) -> Tensor:
        """(N, C, 1, 1), from mean |z|, mean z and deviation of an image's channel and its neighbours."""
        pixels = z.flatten(2)
        spread = pixels.var(2, correction=0).clamp_min(1e-12).sqrt()  # whose slope at 0 is infinite
        statistics = torch.stack([pixels.abs().mean(2), pixels.mean(2), spread], dim=1)
        return torch.sigmoid(self.neighbours(statistics))[:, 0, :, None, None]
