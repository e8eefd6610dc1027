from __future__ import annotations

from torch import nn

from algorithms.bireal import CARD
from bench.nn.algorithm import Algorithm, Place
from bench.nn.binarizers import ScaleAwareSign
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, Sign
from bench.nn.unit import Unit, skip_for


class BiReal(Algorithm):
    """A full-precision shortcut around every binary convolution, and a closer estimator for the activations' sign."""

    card = CARD
    scope = frozenset({"body", "linear"})
    block_shortcut = False

    def __init__(self, magnitude_aware: bool = False):
        self.weight = ScaleAwareSign if magnitude_aware else ChannelScaledSign

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=self.weight(clip), act=Sign(poly), norm=nn.BatchNorm2d(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()
