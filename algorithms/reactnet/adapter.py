from __future__ import annotations

from torch import nn

from algorithms.reactnet import CARDS
from bench.nn.algorithm import Algorithm, Place
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, ShiftedSign
from bench.nn.unit import RPReLU, Unit, skip_for


class ReActNet(Algorithm):
    """Learned shifts before the sign and around the PReLU; a shortcut around every binary convolution."""

    card = CARDS[0]
    scope = frozenset({"body", "linear"})
    block_shortcut = False
    start = "positive"

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=ChannelScaledSign(clip), act=ShiftedSign(cin, poly), norm=nn.BatchNorm2d(cout),
            nonlinearity=None if place == "linear" else RPReLU(cout), skip=skip_for(cin, cout, place, "before"),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()


class ReActNetPrinted(ReActNet):
    """On images in 0..1, from latents between 0 and 0.001."""

    card = CARDS[1]
    as_printed = True
