from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.bicubic import CARD
from bench.nn.algorithm import Algorithm
from bench.pictures.resize import resize


class Bicubic(Algorithm):
    """Interpolation: no network and no parameter. The floor that a method has to beat."""

    card = CARD
    scope = frozenset()

    def build(self, backbone: str, scale: int) -> nn.Module:
        return BicubicUpscaler(scale)


class BicubicUpscaler(nn.Module):
    """(N, 3, H, W) float32 in [0, 1] -> (N, 3, scale*H, scale*W), not clipped."""

    def __init__(self, scale: int):
        super().__init__()
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        if image.is_meta:  # counting operations: interpolation is free under every published convention
            return image.new_empty((*image.shape[:2], image.shape[2] * self.scale, image.shape[3] * self.scale))
        enlarged = [resize(picture.permute(1, 2, 0).double().cpu().numpy(), self.scale) for picture in image]
        return torch.stack([torch.from_numpy(e).permute(2, 0, 1) for e in enlarged]).to(image)
