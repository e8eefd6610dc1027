from __future__ import annotations

from torch import nn

from algorithms.dorefa import CARDS
from bench.nn.algorithm import Algorithm, Place
from bench.nn.estimators import clip, identity
from bench.nn.quantizers import ChannelScaledSign, LayerScaledSign, Sign
from bench.nn.uniform import TanhWeight
from bench.nn.uniform_act import ClippedUnit
from bench.nn.unit import plain_unit


class DoReFa(Algorithm):
    """Weights squashed by tanh onto an even grid in [-1, 1], activations cut to [0, 1] onto one of as many bits."""

    scope = frozenset({"body", "linear"})

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        bits = self.card.bits_w
        return plain_unit(cin, cout, kernel, TanhWeight(bits), ClippedUnit(bits))


class DoReFa1(DoReFa):
    """One bit: signs on both sides, the weights' scaled by their mean magnitude.

    The authors' code has one scale a layer and passes the weights' gradient unchanged; BiBench's (``per_channel``) has
    one a channel and passes it where |W| <= 1.
    """

    card = CARDS[0]
    start = "positive"

    def __init__(self, per_channel: bool = False):
        self.per_channel = per_channel

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        weight = ChannelScaledSign(clip) if self.per_channel else LayerScaledSign(identity)
        return plain_unit(cin, cout, kernel, weight, Sign(clip))

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()


class DoReFa2(DoReFa):
    card = CARDS[1]


class DoReFa4(DoReFa):
    card = CARDS[2]


class DoReFa8(DoReFa):
    card = CARDS[3]


class DoReFa1Printed(DoReFa1):
    """On images in 0..1, from latents between 0 and 0.001."""

    card = CARDS[-1]
    as_printed = True
