"""Quantized layers in ONNX's own terms: integers between a QuantizeLinear and a DequantizeLinear (QDQ).

Integers and scales stay apart: both sides of a convolution are dequantized with scale 1, so that a runtime's float32
sums are the packed layer's integer accumulators to the bit, and the scales follow as the epilogue has them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.layer.spec import LayerSpec, SignInput, UniformInput
from bench.layer.unit_base import UnitShell


class ExportedUnit(UnitShell):
    """A `LayerSpec` computed by operations that ONNX has, in the order of its epilogue."""

    def __init__(self, spec: LayerSpec, cin: int, cout: int, skip: str, scale_map: nn.Module | None):
        super().__init__(cin, cout, skip, scale_map)
        self.weight_bits = spec.weight_bits
        self.rule, self.stride, self.padding, self.dilation = spec.input, spec.stride, spec.padding, spec.dilation
        e = spec.epilogue
        self.register_buffer("weight", spec.weight.clone())
        self.register_buffer("scale", _channels(e.scale))
        self.register_buffer("slope", None if e.slope is None else e.slope.clone())
        for name, value in (("bias", e.bias), ("pre", e.pre), ("post", e.post)):
            self.register_buffer(name, None if value is None else _channels(value))
        if isinstance(spec.input, SignInput):
            flip = spec.input.flip
            self.register_buffer("threshold", _channels(spec.input.threshold))
            self.register_buffer("flip", None if flip is None else _channels(torch.where(flip, -1.0, 1.0)))
        else:
            shift = spec.input.shift
            self.register_buffer("shift", None if shift is None else _channels(shift))

    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        q, y = self._integers(x), None
        for plane, scale in zip(self.weight, self.scale, strict=True):
            sums = F.conv2d(q, _Kernel.apply(plane), None, self.stride, self.padding, self.dilation)
            y = scale * sums if y is None else y + scale * sums
        y = y * scale_map if scale_map is not None else y
        y = y if self.bias is None else y + self.bias
        y = y + shortcut if self.skip == "before" else y
        y = y if self.pre is None else y + self.pre
        y = y if self.slope is None else F.prelu(y, self.slope)
        y = y if self.post is None else y + self.post
        return y + shortcut if self.skip == "after" else y

    def _integers(self, x: Tensor) -> Tensor:
        if isinstance(self.rule, UniformInput):
            return _Integers.apply(x if self.shift is None else x + self.shift, self.rule)
        signs = torch.where(x >= self.threshold, 1.0, -1.0)
        return signs if self.flip is None else signs * self.flip


class _Kernel(torch.autograd.Function):
    """int8 weights as floats."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        return weight.float()

    @staticmethod
    def symbolic(g: Any, weight: Any) -> Any:
        zero = _constant(g, torch.tensor(0, dtype=torch.int8))
        return g.op("DequantizeLinear", weight, _constant(g, torch.tensor(1.0)), zero)


class _Integers(torch.autograd.Function):
    """rint(clamp(x / step, low, high)), as floats."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: UniformInput) -> Tensor:
        return torch.round(torch.clamp(x / rule.step, rule.low, rule.high))

    @staticmethod
    def symbolic(g: Any, x: Any, rule: UniformInput) -> Any:
        step, low, high = (_constant(g, torch.tensor(float(v))) for v in _bounds(rule))
        zero = _constant(g, _zero_point(rule))
        whole = g.op("QuantizeLinear", g.op("Clip", x, low, high), step, zero)
        return g.op("DequantizeLinear", whole, _constant(g, torch.tensor(1.0)), zero)


def _bounds(rule: UniformInput) -> tuple[float, float, float]:
    return rule.step, rule.low * rule.step, rule.high * rule.step


def _constant(g: Any, value: Tensor) -> Any:
    return g.op("Constant", value_t=value)


def _zero_point(rule: UniformInput) -> Tensor:
    """What stands for 0: 0 of int8 where the range fits it, else the lowest value's distance from 0, of uint8."""
    if rule.low >= -128 and rule.high <= 127:
        return torch.tensor(0, dtype=torch.int8)
    return torch.tensor(-min(rule.low, 0), dtype=torch.uint8)


def _channels(value: Tensor) -> Tensor:
    """[..., C] -> [..., C, 1, 1]"""
    return value.detach().clone()[..., None, None]
