from __future__ import annotations

from torch import nn

from algorithms.bireal import CARDS
from bench.nn.algorithm import Algorithm, Place
from bench.nn.binarizers import ScaleAwareSign
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, PlainSign, Sign
from bench.nn.unit import Unit, plain_unit, skip_for


class Shortcuts(Algorithm):
    """A full-precision shortcut around every binary convolution and no other nonlinearity than its signs."""

    scope = frozenset({"body", "linear"})
    block_shortcut = False

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()


class BiReal(Shortcuts):
    """Shortcuts, scaled weights, and a closer estimator for the activations' sign."""

    card = CARDS[0]
    start = "positive"

    def __init__(self, magnitude_aware: bool = False):
        self.weight = ScaleAwareSign if magnitude_aware else ChannelScaledSign

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=self.weight(clip), act=Sign(poly), norm=nn.BatchNorm2d(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip


class BiRealUnscaled(Shortcuts):
    """Shortcuts alone: integers up to 576 are added to what they were made from, layer upon layer."""

    card = CARDS[1]
    as_printed = True

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return plain_unit(cin, cout, kernel, PlainSign(clip), Sign(poly), skip_for(cin, cout, place))


class BiRealPrinted(BiReal):
    """On images in 0..1, from latents between 0 and 0.001."""

    card = CARDS[-1]
    as_printed = True
