from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from algorithms.pams import CARDS
from algorithms.pams.names import PAMS as OFFICIAL
from bench.nn.algorithm import Recipe, parts_of
from bench.nn.quantized_block import QuantizedBlocks
from bench.nn.transfer import structured_transfer
from bench.nn.uniform import MaxWeight
from bench.nn.uniform_act import PamsRange, range_groups

CALIBRATION = 1 / 30
"""Share of the run in which ranges follow the data: the first of 30 epochs."""


class PAMS(QuantizedBlocks):
    """Symmetric integers: weights on their maximum, activations on a learned one, every tensor of a block quantized."""

    scope = frozenset({"body", "linear"})
    needs_teacher = True
    namings: ClassVar = {"edsr": (OFFICIAL,)}
    recipe = Recipe(
        30_000, 16, 48, 1e-4, (0.9, 0.999), (10_000, 20_000), "official script for EDSR x4", from_teacher=True
    )

    def __init__(self, gradient: str = "step", decay: float = 0.9997, paper_transfer: bool = False):
        self.gradient, self.decay, self.paper_transfer = gradient, decay, paper_transfer

    def act(self, channels: int) -> PamsRange:
        return PamsRange(self.card.bits_a, self.gradient, self.decay)

    def weight(self) -> MaxWeight:
        return MaxWeight(self.card.bits_w)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        for act in parts_of(network, PamsRange):
            act.calibrating = progress < CALIBRATION

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """L1 on images in 0..255, plus 1000 times the structured transfer where there is a teacher."""
        return structured_transfer(network, lr, hr, teacher, weight=1e3, paper=self.paper_transfer)

    def parameter_groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        return range_groups(network, [act.alpha for act in parts_of(network, PamsRange)], learning_rate)


class PAMS2(PAMS):
    card = CARDS[0]


class PAMS4(PAMS):
    card = CARDS[1]


class PAMS8(PAMS):
    card = CARDS[2]


class PAMSInt2(PAMS):
    card = CARDS[3]
    integer = True
    namings: ClassVar = {}


class PAMSInt4(PAMS):
    card = CARDS[4]
    integer = True
    namings: ClassVar = {}


class PAMSInt8(PAMS):
    card = CARDS[5]
    integer = True
    namings: ClassVar = {}
