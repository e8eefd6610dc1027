from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn

from algorithms.quantsr import CARDS
from algorithms.quantsr.names import QUANTSR
from algorithms.quantsr.slimmable import DEPTHS, ShortcutBlock, Slimmable
from bench.nn.algorithm import Algorithm, Place, Recipe, copy_matching, parts_of, tagged
from bench.nn.uniform import LearnedStepWeight, phi_slope
from bench.nn.uniform_act import LearnedStep
from bench.nn.unit import plain_unit

BEHIND = ("after_body", "upsample", "conv_hr", "tail")
"""Places of what follows the body"""


class QuantSR(Algorithm):
    """RLQ: learned steps and input shifts, rounding with a slope. DQA: a body of twice the depth, run at half."""

    scope = frozenset({"body", "linear"})
    recipe = Recipe(source="not released; assumed")
    namings: ClassVar = {"edsr": (QUANTSR,)}

    def __init__(
        self, depth: str = "half", one_more: bool = False, after_body: bool = False, from_teacher: bool = False
    ):
        """``from_teacher``: all that follows the body starts from the trained full-precision network's weights, which
        the official code does where its configuration names such a network."""
        self.depth, self.one_more = depth, one_more
        self.needs_teacher, self.recipe = from_teacher, replace(self.recipe, from_teacher=from_teacher)
        self.scope = self.scope | {"after_body"} if after_body else self.scope

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        bits = self.card.bits_w
        return plain_unit(cin, cout, kernel, LearnedStepWeight(bits, phi_slope), LearnedStep(cin, bits, phi_slope))

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        return ShortcutBlock(self, channels, res_scale, attention)

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        if backbone in ("srresnet", "edsr"):
            blocks = [module for module in network.body if isinstance(module, ShortcutBlock)]
            more = [self.block(blocks[0].conv1.cin, blocks[0].res_scale) for _ in blocks]
            del network.body[1 : len(blocks)]
            network.body[0] = Slimmable(blocks + more, self.depth, self.one_more)
        return network

    def take_over(self, network: nn.Module, teacher: nn.Module) -> int:
        pairs = zip(_behind_the_body(network), _behind_the_body(teacher), strict=True)
        return sum(copy_matching(mine, theirs) for mine, theirs in pairs)

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """The mean of the losses at full, half and quarter depth, where the body has depths."""
        bodies = list(parts_of(network, Slimmable))
        if not bodies:
            return super().loss(network, lr, hr)
        total = 0
        for depth in DEPTHS:
            bodies[0].depth = depth
            total = total + super().loss(network, lr, hr)
        bodies[0].depth = self.depth
        return total / len(DEPTHS)


def _behind_the_body(network: nn.Module) -> list[nn.Module]:
    return [layer for _, layer, claim in tagged(network) if claim.place in BEHIND]


class QuantSR2(QuantSR):
    card = CARDS[0]


class QuantSR4(QuantSR):
    card = CARDS[1]
