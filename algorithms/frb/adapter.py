from __future__ import annotations

import torch
from torch import Tensor, nn

from algorithms.frb import CARD
from bench.nn.algorithm import Algorithm, Place, Recipe, ResidualBlock
from bench.nn.backbones.rdn import DenseBlock
from bench.nn.backbones.swinir_s import TransformerGroup
from bench.nn.estimators import poly
from bench.nn.features import recorded
from bench.nn.quantizers import ShiftedSign, Sign, TwoBaseSign
from bench.nn.unit import Unit, skip_for

BLOCKS = (ResidualBlock, DenseBlock, TransformerGroup)
BETA = 1e-4


class FRB(Algorithm):
    """Two binary bases a weight, the second on the residual of the first; both share one binary input."""

    card = CARD
    scope = frozenset({"body", "linear"})
    block_shortcut = False
    needs_teacher = True
    start = "kaiming"
    recipe = Recipe(300_000, 32, 64, 2e-4, (0.9, 0.999), (250_000,), "paper; the patch is read as low resolution")

    def __init__(self, per_layer: bool = False, shift: bool = True):
        self.per_layer, self.shift = per_layer, shift

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        linear = place == "linear"
        return Unit(
            cin, cout, kernel,
            weight=TwoBaseSign(self.per_layer), act=ShiftedSign(cin, poly) if self.shift else Sign(poly), bias=linear,
            nonlinearity=None if linear else nn.PReLU(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """L1, plus distillation of every block's squared and normalised features where there is a teacher."""
        if teacher is None:
            return super().loss(network, lr, hr)
        with torch.no_grad(), recorded(teacher, BLOCKS) as targets:
            teacher(lr)
        with recorded(network, BLOCKS) as features:
            loss = super().loss(network, lr, hr)
        pairs = zip(features, targets, strict=True)
        return loss + BETA * sum((_energy(a) - _energy(b)).norm(dim=1).mean() for a, b in pairs)


def _energy(features: Tensor) -> Tensor:
    """Each image's squared features as one vector of length 1."""
    return nn.functional.normalize(features.flatten(1).square(), dim=1)
