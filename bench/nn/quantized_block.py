"""PAMS's residual block: the shortcut and the branch's output are quantized too, so that their sum is of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from bench.nn.algorithm import Tag, tag
from bench.nn.uniform_act import OnGrid, Unquantized

if TYPE_CHECKING:
    from algorithms.pams.adapter import PAMS

UNQUANTIZED = (
    "as published, the first convolution of a block is fed the sum of two tensors quantized with different steps (or "
    "the full-precision head's output), which no integer grid holds; the integer variants quantize it"
)


class PAMSBlock(nn.Module):
    """q1(x) + q3(res_scale * conv(q2(nonlinearity(conv(x))))), or conv(q1(x)) inside when ``algorithm.integer``."""

    def __init__(self, algorithm: PAMS, channels: int, res_scale: float, attention: nn.Module | None):
        super().__init__()
        bits = algorithm.card.bits_w
        self.act_in, self.act_out = algorithm.act(), algorithm.act()
        first = OnGrid(self.act_in) if algorithm.integer else Unquantized(UNQUANTIZED)
        self.conv1 = tag(algorithm.unit(channels, channels, 3, first), Tag("body", bits, first.bits))
        self.nonlinearity = algorithm.nonlinearity(channels)
        self.conv2 = algorithm.layer("body", channels, channels, 3)
        self.attention, self.res_scale, self.integer = attention, res_scale, algorithm.integer

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.act_in(x)
        y = self.conv2(self.nonlinearity(self.conv1(shortcut if self.integer else x)))
        y = y if self.attention is None else self.attention(y)
        return shortcut + self.act_out(y * self.res_scale)
