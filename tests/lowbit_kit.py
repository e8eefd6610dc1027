"""Pictures for networks of a few channels: what the tests of multi-bit methods share."""

from __future__ import annotations

import torch
from torch import Tensor


def batch(scale: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, 3, 9, 11, generator=generator), torch.rand(2, 3, 9 * scale, 11 * scale, generator=generator)
