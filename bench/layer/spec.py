"""What a packed layer is: the contract between a trained unit, the file format and the native kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Skip = Literal["none", "before", "after"]


@dataclass(frozen=True)
class SignInput:
    """bit = 1 (value +1) where ``x >= threshold[c]``, else 0 (value -1); ``flip`` inverts it per channel.

    ``flip`` is needed where a normalisation with negative gain stood before the sign. NaN compares false: bit 0 before
    ``flip``.
    """

    threshold: Tensor
    """float32 [Ci]"""
    flip: Tensor | None = None
    """bool [Ci]; None means no channel is inverted"""


@dataclass(frozen=True)
class UniformInput:
    """q = rint(clamp((x + shift[c]) / step, low, high)), rounding half to even, float32 arithmetic in this order.

    NaN has no integer; the kernels take low.
    """

    bits: int
    """2 to 8"""
    step: float
    low: int
    high: int
    shift: Tensor | None = None
    """float32 [Ci]; None means zero"""


@dataclass(frozen=True)
class Epilogue:
    """Float work after the integer convolution, in exactly this order, each operation rounded to float32.

    1. ``y = scale[0] * acc[0]``; then for each further base ``y = y + scale[b] * acc[b]``
    2. ``y = y * scale_map`` if the layer takes one (one float per output pixel, e.g. XNOR-Net's K)
    3. ``y = y + bias`` if any
    4. ``y = y + skip_input`` if ``skip == "before"``
    5. ``y = y + pre``; ``y = y if y >= 0 else y * slope``; ``y = y + post`` (each only if given)
    6. ``y = y + skip_input`` if ``skip == "after"``

    No fused multiply-add: the trained network in PyTorch rounds each step, and so must the kernels.
    """

    scale: Tensor
    """float32 [bases, Co]"""
    bias: Tensor | None = None
    """float32 [Co]"""
    scale_map: bool = False
    pre: Tensor | None = None
    """float32 [Co]: added before the slope (RPReLU's first shift)"""
    slope: Tensor | None = None
    """float32 [Co]: ReLU is 0, LeakyReLU one constant, PReLU learned"""
    post: Tensor | None = None
    """float32 [Co]: added after the slope (RPReLU's second shift)"""
    skip: Skip = "none"


@dataclass(frozen=True)
class LayerSpec:
    """A convolution (or linear layer: kernel 1x1) whose inputs and weights are low-bit integers.

    Accumulators: ``acc[b][n, co, y, x] = sum over ci, ky, kx of weight[b, co, ci, ky, kx] * q[n, ci, y', x']``
    where positions outside the image contribute exactly 0 (zero padding of the quantized tensor).
    """

    input: SignInput | UniformInput
    weight: Tensor
    """int8 [bases, Co, Ci, kh, kw]; entries are -1 or +1 when ``weight_bits == 1``"""
    epilogue: Epilogue
    weight_bits: int = 1
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    """(rows, columns)"""
    dilation: int = 1

    @property
    def bases(self) -> int:
        return self.weight.shape[0]

    @property
    def out_channels(self) -> int:
        return self.weight.shape[1]

    @property
    def in_channels(self) -> int:
        return self.weight.shape[2]

    @property
    def kernel(self) -> tuple[int, int]:
        return self.weight.shape[3], self.weight.shape[4]

    @property
    def binary(self) -> bool:
        """True when both sides are signs, so that xor and popcount apply."""
        return self.weight_bits == 1 and isinstance(self.input, SignInput)


def check_spec(spec: LayerSpec) -> None:
    """Raise ValueError, naming the field, when a spec is inconsistent (shapes, dtypes, ranges, non-finite values)."""
    if spec.weight.dtype != torch.int8 or spec.weight.dim() != 5:
        raise ValueError(
            f"weight: got {spec.weight.dtype} {tuple(spec.weight.shape)}, expected int8 [bases, Co, Ci, kh, kw]"
        )
    _check_geometry(spec)
    co, ci = spec.out_channels, spec.in_channels
    if spec.weight_bits == 1 and not bool((spec.weight.abs() == 1).all()):
        raise ValueError("weight: a 1-bit layer holds only -1 and +1")
    per_channel = {
        "epilogue.bias": spec.epilogue.bias,
        "epilogue.pre": spec.epilogue.pre,
        "epilogue.slope": spec.epilogue.slope,
        "epilogue.post": spec.epilogue.post,
    }
    for name, value in per_channel.items():
        _check_float(name, value, (co,))
    _check_float("epilogue.scale", spec.epilogue.scale, (spec.bases, co))
    if isinstance(spec.input, SignInput):
        _check_float("input.threshold", spec.input.threshold, (ci,), finite=False)
        if spec.input.flip is not None and (spec.input.flip.dtype != torch.bool or spec.input.flip.shape != (ci,)):
            raise ValueError(
                f"input.flip: got {spec.input.flip.dtype} {tuple(spec.input.flip.shape)}, expected bool [{ci}]"
            )
    else:
        _check_float("input.shift", spec.input.shift, (ci,))
        if not 2 <= spec.input.bits <= 8 or not spec.input.step > 0 or spec.input.low > spec.input.high:
            raise ValueError(
                f"input: bits {spec.input.bits}, step {spec.input.step}, range {spec.input.low}..{spec.input.high}: "
                "expected 2 to 8 bits, step > 0, low <= high"
            )
        levels = spec.input.high - spec.input.low + 1
        if levels > 2**spec.input.bits or max(abs(spec.input.low), abs(spec.input.high)) >= 2**spec.input.bits:
            raise ValueError(f"input: range {spec.input.low}..{spec.input.high} does not fit {spec.input.bits} bits")


def _check_geometry(spec: LayerSpec) -> None:
    if min(spec.weight.shape) < 1:
        raise ValueError(f"weight: got shape {tuple(spec.weight.shape)}, expected no empty dimension")
    if not 1 <= spec.weight_bits <= 8:
        raise ValueError(f"weight_bits: got {spec.weight_bits}, expected 1 to 8")
    for name, value, low, high in (
        ("stride", spec.stride, 1, 64),
        ("dilation", spec.dilation, 1, 64),
        ("padding rows", spec.padding[0], 0, 1024),
        ("padding columns", spec.padding[1], 0, 1024),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name}: got {value}, expected {low} to {high}")


def _check_float(name: str, value: Tensor | None, shape: tuple[int, ...], finite: bool = True) -> None:
    if value is None:
        return
    if value.dtype != torch.float32 or tuple(value.shape) != shape:
        raise ValueError(f"{name}: got {value.dtype} {tuple(value.shape)}, expected float32 {list(shape)}")
    if finite and not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name}: holds NaN or infinity")
    if not finite and bool(torch.isnan(value).any()):
        raise ValueError(f"{name}: holds NaN")
