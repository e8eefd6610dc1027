from __future__ import annotations

import torch
from torch import nn

from algorithms.xnor import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.binarizers import ScaleAwareSign
from bench.nn.estimators import clip
from bench.nn.quantizers import Sign
from bench.nn.scale_maps import MeanFilter
from bench.nn.unit import Unit


class XNOR(Algorithm):
    """Both sides keep their magnitude: the weights' per output channel, the input's per pixel, as a map K."""

    card = CARD
    backbones = CNNS
    start = "kaiming"

    def __init__(self, per_image: bool = False):
        self.per_image = per_image

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        # K looks at the normalised input, so that the normalisation cannot fold into a threshold.
        return nn.Sequential(
            nn.BatchNorm2d(cin),
            Unit(
                cin, cout, kernel,
                weight=ScaleAwareSign(clip, own_term=True), act=Sign(clip),
                scale_map=MeanFilter(kernel, self.per_image),
            ),
        )  # fmt: skip

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """Latent weights are centred over the input channels and clipped to [-1, 1]."""
        for unit in parts_of(network, Unit):
            unit.weight.sub_(unit.weight.mean(1, keepdim=True)).clamp_(-1, 1)
