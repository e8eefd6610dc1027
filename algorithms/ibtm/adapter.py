from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from algorithms.ibtm import CARD
from bench.nn.algorithm import Algorithm, Place, ResidualBlock, tag
from bench.nn.backbones.edsr import MEAN
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import Unit


class IBTM(Algorithm):
    """BTM with several receptive fields in each block, distilled from the full-precision network's output."""

    card = CARD
    backbones = ("srresnet", "edsr", "edsr_large", "rcan")
    needs_teacher = True

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return _unit(cin, cout, kernel)

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        block = ResidualBlock(self, channels, res_scale, attention)
        block.conv1 = tag(MultiReceptive(channels), block.conv1.bench_tag)
        return block

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        network.normalize(MEAN, 0.25 if self.as_printed else None)
        return network

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """L1 to the image, plus L1 to the teacher's output where there is a teacher."""
        sr = network(lr)
        if teacher is None:
            return F.l1_loss(sr, hr)
        with torch.no_grad():
            target = teacher(lr)
        return F.l1_loss(sr, hr) + F.l1_loss(sr, target)


class MultiReceptive(nn.Module):
    """Four binary convolutions side by side, a quarter of the channels each: (N, C, H, W) -> (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.branches = nn.ModuleList(
            _unit(channels, channels // 4, kernel, dilation) for dilation in (1, 2) for kernel in ((1, 5), (5, 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _unit(cin: int, cout: int, kernel: int | tuple[int, int], dilation: int = 1) -> Unit:
    """BTM's unit, Xavier weights included."""
    unit = Unit(
        cin, cout, kernel,
        weight=ChannelScaledSign(clip), act=Sign(poly), nonlinearity=nn.PReLU(cout), dilation=dilation,
    )  # fmt: skip
    nn.init.xavier_uniform_(unit.weight)
    return unit
