from __future__ import annotations

import torch
from torch import nn

from algorithms.btm import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place
from bench.nn.backbones.edsr import MEAN
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import Unit

DEVIATION = 0.25
"""Standard deviation of natural images' RGB values in [0, 1], rounded."""


class BTM(Algorithm):
    """No batch normalisation: Xavier weights, a normalised image at entry, PReLU after each binary convolution."""

    card = CARD
    backbones = CNNS

    def __init__(self, poly_weights: bool = False):
        self.weight_estimator = poly if poly_weights else clip

    def conv(self, cin: int, cout: int, kernel: int | tuple[int, int], *, place: Place, dilation: int = 1) -> nn.Module:
        unit = Unit(
            cin, cout, kernel,
            weight=ChannelScaledSign(self.weight_estimator), act=Sign(poly), nonlinearity=nn.PReLU(cout),
            dilation=dilation,
        )  # fmt: skip
        nn.init.xavier_uniform_(unit.weight)
        return unit

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def build(self, backbone: str, scale: int) -> nn.Module:
        """The network works on (image - mean) / deviation; both are undone at the end."""
        network = super().build(backbone, scale)
        network.mean = torch.tensor(MEAN).view(1, 3, 1, 1)
        network.image_range = 1 / DEVIATION
        return network
