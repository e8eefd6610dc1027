"""A `LayerSpec` computed in plain PyTorch: the meaning of the format, operation by operation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.layer.spec import LayerSpec, SignInput


def quantize_input(spec: LayerSpec, x: Tensor) -> Tensor:
    """Integers of the input as floats, (N, Ci, H, W); -1 and +1 for a sign input."""
    rule = spec.input
    if isinstance(rule, SignInput):
        bit = x >= rule.threshold.to(x.device).view(-1, 1, 1)
        if rule.flip is not None:
            bit = bit ^ rule.flip.to(x.device).view(-1, 1, 1)
        return torch.where(bit, 1.0, -1.0)
    shifted = x if rule.shift is None else x + rule.shift.to(x.device).view(-1, 1, 1)
    return torch.round(torch.clamp(shifted / rule.step, rule.low, rule.high))


def accumulate(spec: LayerSpec, x: Tensor) -> list[Tensor]:
    """Integer accumulators, one float tensor (N, Co, Ho, Wo) a base; exact, whatever order a library sums in."""
    q = quantize_input(spec, x)
    taps = spec.in_channels * spec.kernel[0] * spec.kernel[1]
    largest = 1 if isinstance(spec.input, SignInput) else max(abs(spec.input.low), abs(spec.input.high))
    # float32 holds integers up to 2**24; past that the sum moves to float64.
    dtype = torch.float32 if taps * largest * 2 ** (spec.weight_bits - 1) < 2**24 else torch.float64
    # An integer zero has no sign, but a convolution over padding alone may return -0: adding 0 makes it +0.
    return [
        F.conv2d(q.to(dtype), plane.to(x.device, dtype), None, spec.stride, spec.padding, spec.dilation)
        .float()
        .add_(0.0)
        for plane in spec.weight
    ]


def run_spec(spec: LayerSpec, x: Tensor, skip: Tensor | None = None, scale_map: Tensor | None = None) -> Tensor:
    """One packed layer's output, (N, Ci, H, W) float32 -> (N, Co, Ho, Wo) float32, in `Epilogue`'s order.

    ``skip`` is the shortcut (N, Co, Ho, Wo), ``scale_map`` the input-dependent scale (N, 1, Ho, Wo).
    """

    def channels(value: Tensor) -> Tensor:
        return value.to(x.device).view(-1, 1, 1)

    e = spec.epilogue
    y = None
    for scale, acc in zip(e.scale, accumulate(spec, x), strict=True):
        y = channels(scale) * acc if y is None else y + channels(scale) * acc
    if e.scale_map:
        y = y * scale_map
    if e.bias is not None:
        y = y + channels(e.bias)
    if e.skip == "before":
        y = y + skip
    if e.pre is not None:
        y = y + channels(e.pre)
    if e.slope is not None:
        y = torch.where(y >= 0, y, y * channels(e.slope))
    if e.post is not None:
        y = y + channels(e.post)
    return y + skip if e.skip == "after" else y
