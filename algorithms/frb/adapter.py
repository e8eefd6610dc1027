from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from algorithms.frb import CARDS
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

    card = CARDS[0]
    scope = frozenset({"body", "linear"})
    block_shortcut = False
    needs_teacher = True
    start = "kaiming"
    recipe = Recipe(300_000, 32, 64, 2e-4, (0.9, 0.999), (250_000,), "paper; the patch is read as low resolution")

    def __init__(self, per_layer: bool = False, shift: bool = True, batch_transfer: bool = False):
        self.per_layer, self.shift, self.batch_transfer = per_layer, shift, batch_transfer

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
        return loss + BETA * block_transfer(features, targets, self.batch_transfer)


def block_transfer(features: Sequence[Tensor], targets: Sequence[Tensor], whole_batch: bool = False) -> Tensor:
    """Distance of squared features (N, C, H, W) to a teacher's, each image one vector of length 1, summed over blocks.

    With ``whole_batch`` as in QuantSR's repository: the batch is one vector, and the mean over blocks is taken.
    """
    start = 0 if whole_batch else 1
    distances = [
        (_energy(a.flatten(start)) - _energy(b.flatten(start))).norm(dim=-1).mean()
        for a, b in zip(features, targets, strict=True)
    ]
    return torch.stack(distances).mean() if whole_batch else sum(distances)


class FRBPrinted(FRB):
    """On images in 0..1, from latents as wide as Kaiming's."""

    card = CARDS[1]
    as_printed = True


def _energy(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.square(), dim=-1)
