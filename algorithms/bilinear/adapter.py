from __future__ import annotations

from torch import nn

from algorithms.bilinear import CARD
from bench.nn.algorithm import Algorithm


class Bilinear(Algorithm):
    """SRResNet's skip and nothing else: what a network is worth that has learned nothing."""

    card = CARD
    scope = frozenset()

    def build(self, backbone: str, scale: int) -> nn.Module:
        return nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=False)
