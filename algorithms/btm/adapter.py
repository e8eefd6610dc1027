from __future__ import annotations

from torch import nn

from algorithms.btm import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place
from bench.nn.backbones.edsr import MEAN
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import Unit


class BTM(Algorithm):
    """No batch normalisation: Xavier weights, a normalised image at entry, PReLU after each binary convolution."""

    card = CARD
    backbones = CNNS
    start = "xavier"

    def __init__(self, poly_weights: bool = False):
        self.weight_estimator = poly if poly_weights else clip

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=ChannelScaledSign(self.weight_estimator), act=Sign(poly), nonlinearity=nn.PReLU(cout),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        network.normalize(MEAN, 0.25 if self.as_printed else None)
        return network
