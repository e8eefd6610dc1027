from __future__ import annotations

from torch import nn

from algorithms.xnorpp import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place
from bench.nn.binarizers import LearnedScaleSign
from bench.nn.estimators import clip
from bench.nn.quantizers import Sign
from bench.nn.scale_maps import PositionScale
from bench.nn.unit import Unit


class XNORPlusPlus(Algorithm):
    """The output scale is learned: a factor per channel times one per row times one per column of the output."""

    card = CARD
    backbones = CNNS
    start = "positive"

    def __init__(self, spatial: bool = True):
        self.spatial = spatial

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=LearnedScaleSign(cout, clip), act=Sign(clip), norm=nn.BatchNorm2d(cout),
            scale_map=PositionScale(self.recipe.lr_patch) if self.spatial else None,
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()
