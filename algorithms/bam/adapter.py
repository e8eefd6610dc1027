from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.bam import CARD
from bench.nn.algorithm import Algorithm, Place, Tag, tag
from bench.nn.binarizers import StandardizedSign
from bench.nn.estimators import clip
from bench.nn.quantizers import Sign
from bench.nn.unit import Unit


class BAM(Algorithm):
    """Bit accumulation: full-precision features are built up from the one-bit layers' outputs, each weighed anew."""

    card = CARD
    backbones = ("srresnet",)

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(cin, cout, kernel, weight=StandardizedSign(clip), act=Sign(clip), norm=nn.BatchNorm2d(cout))

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        network.body = BitAccumulation([unit for block in network.body for unit in (block.conv1, block.conv2)])
        return network


class BitAccumulation(nn.Module):
    """x <- x + attention(x) * layer(x) for each layer. One attention serves all of them and stays full precision."""

    def __init__(self, layers: list[Unit]):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        channels = layers[0].cin
        self.squeeze = tag(nn.Conv2d(channels, channels // 8, 1, bias=False), Tag("attention"))
        self.excite = tag(nn.Conv2d(channels // 8, channels, 1, bias=False), Tag("attention"))
        self.spatial = tag(nn.Conv2d(1, 1, 7, padding=3, bias=False), Tag("attention"))

    def attention(self, x: Tensor) -> Tensor:
        """(N, C, H, W), the outputs accumulated so far -> factors in (0, 1) of the same shape."""
        per_channel = self.excite(torch.relu(self.squeeze(x)))
        return torch.sigmoid(per_channel + self.spatial(x.mean(1, keepdim=True)))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + self.attention(x) * layer(x)
        return x
