"""Residual blocks whose convolutions each carry their own shortcut, as several binary networks have them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.algorithm import Algorithm, ResidualBlock, parts_of
from bench.nn.unit import Unit


def scale_branches(block: nn.Module, res_scale: float) -> None:
    """``res_scale`` on every normalised convolution of a block, ahead of its own shortcut (E2FIF's official code)."""
    for unit in parts_of(block, Unit):
        unit.branch_scale = res_scale


class BoundedBlock(ResidualBlock):
    """hardtanh(unit(hardtanh(unit(x)))), each unit with its own shortcut: the basic block of IR-Net and ReCU.

    The official networks (CIFAR and ImageNet ResNets) bound every sum to [-1, 1] and have no shortcut around both
    convolutions. ``algorithm`` gives units that add their input, and Hardtanh as nonlinearity. With ``attention`` or
    ``res_scale``, which those networks lack: our reading, attention on what both units added, ``res_scale`` on each.
    """

    def __init__(self, algorithm: Algorithm, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None):
        super().__init__(algorithm, channels, 1.0, attention)
        scale_branches(self, res_scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.hardtanh(super().forward(x))


SMALL_GAIN = 1 / 32
"""Where the gains of `fit_bounds` start: SRResNet's 32 units together then add as much as one would by itself"""


def fit_bounds(network: nn.Module, backbone: str) -> nn.Module:
    """Equal footing for bounded sums: features start inside [-1, 1], where Hardtanh tells them apart, and what a unit
    adds is small beside them, since a sum that is cut off at 1 remembers nothing but its last few terms.

    The image enters in [0, 1], and on SRResNet, whose head starts at a tenth, in [0, 10]; a range of 130 or 255 would
    turn features into signs at the first sum. Normalisation gains start at `SMALL_GAIN`.
    """
    network.image_range = 10.0 if backbone == "srresnet" else 1.0
    for unit in parts_of(network, Unit):
        nn.init.constant_(unit.norm.weight, SMALL_GAIN)
    return network
