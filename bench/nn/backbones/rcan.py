"""RCAN (Zhang et al., ECCV 2018): 10 groups of 20 residual blocks with channel attention, 64 channels.

15,444,643 parameters at x2, 15,592,355 at x4. Images in 0..255 about DIV2K's mean, as in the official code.
"""

from __future__ import annotations

import inspect

from torch import Tensor, nn

from bench.contract import Unsupported
from bench.nn.algorithm import Algorithm, Tag, tag
from bench.nn.backbones.edsr import BASICSR_ENDS, ENDS, MEAN_SHIFTS, by_mean_shift, residual_network
from bench.nn.naming import Naming, within
from bench.nn.network import Network


def build(algorithm: Algorithm, scale: int, channels: int = 64, groups: int = 10, blocks: int = 20) -> Network:
    if "attention" not in inspect.signature(algorithm.block).parameters:
        raise Unsupported(
            f"{algorithm.card.name} redesigns the residual block and does not say where RCAN's channel attention goes"
        )
    trunk = (ResidualGroup(algorithm, channels, blocks) for _ in range(groups))
    return residual_network(algorithm, scale, channels, trunk)


class ResidualGroup(nn.Sequential):
    """Blocks and a convolution, plus the input unless the convolution's own shortcut already carries it."""

    def __init__(self, algorithm: Algorithm, channels: int, blocks: int):
        super().__init__(
            *(algorithm.block(channels, attention=ChannelAttention(channels)) for _ in range(blocks)),
            algorithm.layer("body", channels, channels, 3),
        )
        self.shortcut = algorithm.block_shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return x + y if self.shortcut else y


class ChannelAttention(nn.Module):
    """Rescales each channel by a factor in (0, 1) computed from all channels' means. Always full precision."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            tag(nn.Conv2d(channels, channels // reduction, 1), Tag("attention")),
            nn.ReLU(),
            tag(nn.Conv2d(channels // reduction, channels, 1), Tag("attention")),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


NAMINGS = (
    Naming(
        "RCAN's official code, after EDSR-PyTorch",
        (
            *within(
                "body.{i}.{j}", "body.{i}.body.{j}.body",
                ("conv1", "0"), ("conv2", "2"),
                ("attention.gate.1", "3.conv_du.0"), ("attention.gate.3", "3.conv_du.2"),
            ),
            ("body.{i}.{j}", "body.{i}.body.{j}"),
            *ENDS,
        ),
        MEAN_SHIFTS,
        by_mean_shift("head.0", "tail.1"),
    ),
    Naming(
        "BasicSR",
        (
            *within(
                "body.{i}.{j}", "body.{i}.residual_group.{j}.rcab",
                ("conv1", "0"), ("conv2", "2"),
                ("attention.gate.1", "3.attention.1"), ("attention.gate.3", "3.attention.3"),
            ),
            ("body.{i}.{j}", "body.{i}.conv"),
            *BASICSR_ENDS,
        ),
    ),
)  # fmt: skip
