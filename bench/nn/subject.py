"""What is examined: one algorithm on one backbone and scale, moved off its initial values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from bench.contract import Card
from bench.nn.algorithm import Algorithm
from bench.nn.build import build_network

ODD = (17, 23)
"""Low-resolution test size (height, width): odd, and no multiple of any window."""
SEED = 7


@dataclass(frozen=True)
class Subject:
    """One algorithm on one backbone and scale."""

    algorithm: Algorithm
    backbone: str
    scale: int = 2

    @property
    def card(self) -> Card:
        return self.algorithm.card

    def fresh(self, seed: int = SEED) -> nn.Module:
        return build_network(self.algorithm, self.backbone, self.scale, seed)

    @cached_property
    def network(self) -> nn.Module:
        """In evaluation mode, every parameter and statistic moved off its initial value. Treat as read-only.

        One batch goes through in training mode first: some quantizers take their ranges from it.
        """
        network = perturb(self.fresh())
        with torch.no_grad():
            network(self.image)
        return network.eval()

    @cached_property
    def image(self) -> Tensor:
        """Two smooth random pictures, (2, 3, 17, 23) in [0, 1]."""
        coarse = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(SEED))
        return torch.nn.functional.interpolate(coarse, ODD, mode="bicubic", align_corners=False).clamp(0, 1)


def perturb(network: nn.Module, seed: int = SEED) -> nn.Module:
    """Move parameters and running statistics off their initial values, so that a forgotten one shows. In place.

    One normalisation gain in eight turns negative, the case in which a comparison folds with its sense inverted.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            for parameter in module.parameters(recurse=False):
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.add_(0.1 * noise * parameter.abs().mean().clamp_min(0.1))
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.add_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.mul_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
                module.weight[::8] *= -1
    return network
