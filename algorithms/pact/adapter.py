from __future__ import annotations

from torch import Tensor, nn

from algorithms.pact import CARDS
from bench.nn.algorithm import Algorithm, Place, parts_of
from bench.nn.uniform import TanhWeight
from bench.nn.uniform_act import PactRange
from bench.nn.unit import plain_unit


class PACT(Algorithm):
    """DoReFa's weights; activations cut at a learned height, which an L2 penalty keeps low."""

    scope = frozenset({"body", "linear"})

    def __init__(self, decay: float = 1e-4):
        self.decay = decay

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        bits = self.card.bits_w
        return plain_unit(cin, cout, kernel, TanhWeight(bits), PactRange(bits))

    def build(self, backbone: str, scale: int) -> nn.Module:
        """Alpha starts at the range of the network's images: DoReFa's weights keep no scale that data could set."""
        network = super().build(backbone, scale)
        for act in parts_of(network, PactRange):
            act.alpha.data.fill_(network.image_range)
        return network

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """L1 plus ``decay`` times the squared heights, in units of the image's range."""
        heights = sum((act.alpha / network.image_range).square().sum() for act in parts_of(network, PactRange))
        return super().loss(network, lr, hr) + self.decay * heights


class PACT2(PACT):
    card = CARDS[0]


class PACT4(PACT):
    card = CARDS[1]
