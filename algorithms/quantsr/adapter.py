from __future__ import annotations

from torch import Tensor, nn

from algorithms.quantsr import CARDS
from algorithms.quantsr.slimmable import DEPTHS, ShortcutBlock, Slimmable
from bench.nn.algorithm import Algorithm, Place, Recipe, parts_of
from bench.nn.uniform import LearnedStepWeight, phi_slope
from bench.nn.uniform_act import LearnedStep
from bench.nn.unit import plain_unit


class QuantSR(Algorithm):
    """RLQ: learned steps and input shifts, rounding with a slope. DQA: a body of twice the depth, run at half."""

    scope = frozenset({"body", "linear"})
    recipe = Recipe(source="not released; assumed")

    def __init__(self, depth: str = "half", one_more: bool = False, after_body: bool = False):
        self.depth, self.one_more = depth, one_more
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


class QuantSR2(QuantSR):
    card = CARDS[0]


class QuantSR4(QuantSR):
    card = CARDS[1]
