from __future__ import annotations

import torch
from torch import nn

from algorithms.bnn import CARDS
from bench.nn.algorithm import Algorithm, Place, parts_of
from bench.nn.estimators import clip
from bench.nn.quantizers import PlainSign, Sign
from bench.nn.unit import Unit, plain_unit


class BNN(Algorithm):
    """Signs on both sides, no scale; batch normalisation brings the integers back to range (Hubara et al. 2016)."""

    card = CARDS[0]
    scope = frozenset({"body", "linear"})
    start = "positive"

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(cin, cout, kernel, weight=PlainSign(clip), act=Sign(clip), norm=nn.BatchNorm2d(cout))

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()

    @torch.no_grad()
    def after_step(self, network: nn.Module) -> None:
        """Latent weights stay where the estimator lets a gradient through."""
        for unit in parts_of(network, Unit):
            unit.weight.clamp_(-1, 1)


class BNNInPlace(BNN):
    """The same signs in the backbone's own block, where they cannot learn. Behind a ReLU no input is negative, so every
    second layer's signs are constant; its inputs are integers beyond the estimator's window, so no gradient reaches
    the layer before. What is left for training is to silence the network: the output is the interpolated input.
    """

    card = CARDS[1]
    start, as_printed = "", True

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return plain_unit(cin, cout, kernel, PlainSign(clip), Sign(clip))

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.ReLU()


class BNNPrinted(BNN):
    """On images in 0..1, from latents between 0 and 0.001."""

    card = CARDS[-1]
    as_printed = True
