from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from algorithms.twodquant import CARDS
from algorithms.twodquant.bounds import BoundedAct, BoundedWeight, TwoBounds
from bench.nn.algorithm import Algorithm, Place, Recipe, copy_matching, parts_of
from bench.nn.backbones.swinir_s import TransformerGroup
from bench.nn.features import recorded
from bench.nn.unit import plain_unit

FEATURES = 5.0
"""Weight of the features' distance beside the output's"""


class TwoDQuant(Algorithm):
    """Post-training: the weights are the full-precision network's, and only bounds learn, to give what it gives."""

    scope = frozenset({"linear"})
    backbones = ("swinir_s",)
    needs_teacher = True
    recipe = Recipe(
        4_000, 16, 48, 1e-2, (0.9, 0.99), (), "official configuration; batch and patch assumed", calibration=True,
        from_teacher=True,
    )  # fmt: skip

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        if cout == 3 * cin:  # queries, keys and values have bounds of their own
            return Beside(*(self.unit(cin, cin) for _ in range(3)))
        return self.unit(cin, cout)

    def unit(self, cin: int, cout: int) -> nn.Module:
        bits = self.card.bits_w
        return plain_unit(cin, cout, 1, BoundedWeight(bits), BoundedAct(bits))

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale).requires_grad_(False)
        for bounds in parts_of(network, TwoBounds):
            bounds.requires_grad_(True)
        return network

    def take_over(self, network: nn.Module, teacher: nn.Module) -> int:
        copied = copy_matching(network, teacher)
        for name, beside in network.named_modules():
            if isinstance(beside, Beside):
                copied += beside.take_over(teacher.get_submodule(name))
        return copied

    def parameter_groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        return [{"params": [p for p in network.parameters() if p.requires_grad], "lr": learning_rate}]

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """L1 to the teacher's output and 5 times the squared distance of features behind each group, normalised."""
        if teacher is None:
            return super().loss(network, lr, hr)
        with torch.no_grad(), recorded(teacher, TransformerGroup) as targets:
            wanted = teacher(lr)
        with recorded(network, TransformerGroup) as features:
            loss = F.l1_loss(network(lr), wanted)
        pairs = zip(features, targets, strict=True)
        return loss + FEATURES * sum(F.mse_loss(_normalised(a), _normalised(b)) for a, b in pairs)


class Beside(nn.ModuleList):
    """Layers on the same tokens, their outputs side by side: (N, L, C) -> (N, L, sum of their channels)."""

    def __init__(self, *layers: nn.Module):
        super().__init__(layers)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.cat([layer(tokens) for layer in self], dim=-1)

    @torch.no_grad()
    def take_over(self, joint: nn.Linear) -> int:
        """Give each layer its share of a joint layer's weights; how many tensors that were."""
        for layer, weight, bias in zip(self, joint.weight.chunk(len(self)), joint.bias.chunk(len(self)), strict=True):
            layer.weight.copy_(weight.view_as(layer.weight))
            layer.bias.copy_(bias)
        return 2 * len(self)


def _normalised(tokens: Tensor) -> Tensor:
    """Each channel of each image divided by its length, a constant for the gradient: (N, L, C)."""
    return tokens / tokens.norm(dim=1, keepdim=True).detach().clamp_min(1e-12)


class TwoDQuant2(TwoDQuant):
    card = CARDS[0]


class TwoDQuant3(TwoDQuant):
    card = CARDS[1]


class TwoDQuant4(TwoDQuant):
    card = CARDS[2]
