"""Pictures for networks of a few channels, and networks ready for them: what the tests of multi-bit methods share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.conformance import perturb


def batch(scale: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, 3, 9, 11, generator=generator), torch.rand(2, 3, 9 * scale, 11 * scale, generator=generator)


def started(network: nn.Module, image: Tensor) -> nn.Module:
    """After the first training batch, which sets ranges, and a random move of every parameter; for evaluation."""
    network.train()(image)
    return perturb(network).eval()
