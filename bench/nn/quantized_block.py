"""Methods whose residual blocks quantize the shortcut and the branch's output too, so that their sum is of integers."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from bench.nn.algorithm import Algorithm, Place, Tag, tag
from bench.nn.quantizers import ActQuantizer, WeightQuantizer
from bench.nn.uniform_act import OnGrid, Unquantized
from bench.nn.unit import plain_unit

UNQUANTIZED = (
    "as published, the first convolution of a block is fed the sum of two tensors quantized with different steps (or "
    "the full-precision head's output), which no integer grid holds; the integer variants quantize it"
)


class QuantizedBlocks(Algorithm):
    """Base of such methods (PAMS, Li et al., ECCV 2020; DDTB, Zhong et al., ECCV 2022). Subclasses give both
    quantizers."""

    integer: ClassVar[bool] = False
    """True for a variant that integers can run: a block's first convolution is fed quantized."""

    def act(self, channels: int) -> ActQuantizer:
        """The quantizer of a tensor of so many channels."""
        raise NotImplementedError

    def weight(self) -> WeightQuantizer:
        raise NotImplementedError

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return plain_unit(cin, cout, kernel, self.weight(), self.act(cin))

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        return QuantizedBlock(self, channels, res_scale, attention)


class QuantizedBlock(nn.Module):
    """q1(x) + q3(res_scale * conv(q2(nonlinearity(conv(x))))), or conv(q1(x)) inside when ``algorithm.integer``."""

    def __init__(self, algorithm: QuantizedBlocks, channels: int, res_scale: float, attention: nn.Module | None):
        super().__init__()
        bits = algorithm.card.bits_w
        self.act_in, self.act_out = algorithm.act(channels), algorithm.act(channels)
        first = OnGrid(self.act_in) if algorithm.integer else Unquantized(UNQUANTIZED)
        self.conv1 = tag(plain_unit(channels, channels, 3, algorithm.weight(), first), Tag("body", bits, first.bits))
        self.nonlinearity = algorithm.nonlinearity(channels)
        self.conv2 = algorithm.layer("body", channels, channels, 3)
        self.attention, self.res_scale, self.integer = attention, res_scale, algorithm.integer

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.act_in(x)
        y = self.conv2(self.nonlinearity(self.conv1(shortcut if self.integer else x)))
        y = y if self.attention is None else self.attention(y)
        return shortcut + self.act_out(y * self.res_scale)
