from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from algorithms.ddtb import CARDS
from algorithms.ddtb.bounds import Bounds, GatedBounds, PercentileWeight
from bench.nn.algorithm import CNNS, Recipe, parts_of
from bench.nn.quantized_block import QuantizedBlocks
from bench.nn.transfer import structured_transfer
from bench.nn.uniform_act import range_groups

EPOCHS = 60
ACTING_FROM = 6
"""Epoch, from 1, from which gates move the bounds; the first one only watches."""
GATED = 0.3
"""Share of the quantizers that get a gate (EDSR's; the official script has 0.1 for a network with normalisation)."""


class DDTB(QuantizedBlocks):
    """Two learned bounds for every tensor's values, and a gate that moves them by image where images differ most."""

    backbones = CNNS
    needs_teacher = True
    gated: ClassVar[bool] = True
    recipe = Recipe(
        60_000, 16, 48, 1e-4, (0.9, 0.999), (10_000, 20_000, 30_000, 40_000, 50_000),
        "official script for EDSR x4; 1000 iterations an epoch assumed", from_teacher=True,
    )  # fmt: skip

    def act(self, channels: int) -> Bounds:
        return GatedBounds(self.card.bits_a, channels) if self.gated else Bounds(self.card.bits_a)

    def weight(self) -> PercentileWeight:
        return PercentileWeight(self.card.bits_w)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """Epoch 1: watch how much each tensor's extremes vary. Then gates for those that vary most; later they act."""
        epoch = int(EPOCHS * progress) + 1
        acts = list(parts_of(network, GatedBounds))
        if epoch > 1 and not any(bool(act.dynamic) for act in acts):
            for act in sorted(acts, key=GatedBounds.variation, reverse=True)[: int(len(acts) * GATED)]:
                act.dynamic.fill_(True)
        for act in acts:
            act.watching = epoch == 1
            act.acting.copy_(act.dynamic & (epoch >= ACTING_FROM))

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """PAMS's loss, plus the mean square of what gates that do not act yet give: their pull towards factor 1."""
        pulls: list[Tensor] = []
        for act in parts_of(network, GatedBounds):
            act.pulls = pulls
        loss = structured_transfer(network, lr, hr, teacher, weight=1e3)
        for act in parts_of(network, GatedBounds):
            act.pulls = None
        return loss + sum(pulls) / len(pulls) if pulls else loss

    def parameter_groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        bounds = (bound for act in parts_of(network, Bounds) for bound in (act.lower, act.upper))
        return range_groups(network, bounds, learning_rate)


class DDTB2(DDTB):
    card = CARDS[0]


class DDTB3(DDTB):
    card = CARDS[1]


class DDTB4(DDTB):
    card = CARDS[2]


class DDTBInt2(DDTB):
    card = CARDS[3]
    gated, integer = False, True


class DDTBInt3(DDTB):
    card = CARDS[4]
    gated, integer = False, True


class DDTBInt4(DDTB):
    card = CARDS[5]
    gated, integer = False, True
