"""A `LayerSpec` as what is stored: a few numbers (JSON) and packed tensors; and back, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.layer.spec import Epilogue, LayerSpec, SignInput, Skip, UniformInput, check_spec
from bench.packed.bits import pack_planes, pack_words, unpack_planes, unpack_words, word_count

VECTORS = ("bias", "pre", "slope", "post")
"""Optional float32 [Co] tensors of the epilogue."""
MAX_CHANNELS, MAX_BASES = 2**16, 64
"""What the native kernels take."""


@dataclass(frozen=True)
class LayerGeometry:
    """The numbers of a packed layer that are not tensors.

    Stored weights are levels 0 to 2**weight_bits - 1, as bit planes; weight = weight_offset + weight_step * level.
    A binary layer has offset -1 and step 2, so that the stored bit is 1 for +1.
    """

    in_channels: int
    out_channels: int
    bases: int
    kernel: tuple[int, int]
    stride: int
    padding: tuple[int, int]
    dilation: int
    weight_bits: int
    weight_offset: int
    weight_step: int
    input: Literal["sign", "uniform"]
    input_bits: int
    input_step: float
    """Uniform input only; 0 for a sign"""
    input_low: int
    input_high: int
    scale_map: bool
    skip: Skip

    @property
    def binary(self) -> bool:
        """Signs on both sides."""
        return self.weight_bits == 1 and self.input == "sign"


def encode(spec: LayerSpec) -> tuple[LayerGeometry, dict[str, Tensor]]:
    """Geometry and packed tensors of a checked spec.

    Tensors: ``weights`` int64 [weight_bits, bases, Co, kh, kw, words]; ``threshold`` float32 [Ci] and ``flip``
    int64 [words], or ``shift`` float32 [Ci]; ``scale`` float32 [bases, Co]; and the epilogue's vectors. What the
    spec does not have is left out. Raises ValueError when the weights take more values than their bits allow.
    """
    rule, epilogue = spec.input, spec.epilogue
    offset, step = _levels(spec)
    levels = (spec.weight.permute(0, 1, 3, 4, 2).to(torch.int32) - offset) // step
    tensors = {"weights": pack_planes(levels, spec.weight_bits), "scale": epilogue.scale}
    if isinstance(rule, SignInput):
        tensors["threshold"] = rule.threshold
        if rule.flip is not None:
            tensors["flip"] = pack_words(rule.flip)
        numbers = ("sign", 1, 0.0, -1, 1)
    else:
        if rule.shift is not None:
            tensors["shift"] = rule.shift
        numbers = ("uniform", rule.bits, float(rule.step), int(rule.low), int(rule.high))
    tensors |= {name: value for name in VECTORS if (value := getattr(epilogue, name)) is not None}
    geometry = LayerGeometry(
        spec.in_channels,
        spec.out_channels,
        spec.bases,
        spec.kernel,
        spec.stride,
        tuple(spec.padding),
        spec.dilation,
        spec.weight_bits,
        offset,
        step,
        *numbers,
        epilogue.scale_map,
        epilogue.skip,
    )
    return geometry, {name: value.detach().clone().contiguous() for name, value in tensors.items()}


def decode(geometry: LayerGeometry, tensors: dict[str, Tensor]) -> LayerSpec:
    """The spec behind stored numbers and tensors. Raises ValueError, naming the field, when they do not fit."""
    g = geometry
    _check_numbers(g)
    sign = g.input == "sign"
    allowed = {"weights", "scale", *VECTORS, *(("threshold", "flip") if sign else ("shift",))}
    needed = {"weights", "scale", *(("threshold",) if sign else ())}
    if not needed <= tensors.keys() <= allowed:
        raise ValueError(f"tensors: got {sorted(tensors)}, expected {sorted(needed)} and at most {sorted(allowed)}")
    planes = (g.weight_bits, g.bases, g.out_channels, *g.kernel, word_count(g.in_channels))
    _check_words("weights", tensors["weights"], planes)
    levels = unpack_planes(tensors["weights"], g.in_channels)
    weight = g.weight_offset + g.weight_step * levels
    if weight.min() < -128 or weight.max() > 127:
        raise ValueError(f"weights: offset {g.weight_offset} and step {g.weight_step} lead beyond 8 bits")
    if sign:
        flip = tensors.get("flip")
        if flip is not None:
            _check_words("flip", flip, (word_count(g.in_channels),))
            flip = unpack_words(flip, g.in_channels)
        rule = SignInput(tensors["threshold"], flip)
    else:
        rule = UniformInput(g.input_bits, g.input_step, g.input_low, g.input_high, tensors.get("shift"))
    vectors = {name: tensors.get(name) for name in VECTORS}
    spec = LayerSpec(
        rule,
        weight.to(torch.int8).permute(0, 1, 4, 2, 3).contiguous(),
        Epilogue(tensors["scale"], scale_map=g.scale_map, skip=g.skip, **vectors),
        g.weight_bits,
        g.stride,
        g.padding,
        g.dilation,
    )
    check_spec(spec)
    return spec


def _check_numbers(geometry: LayerGeometry) -> None:
    """Numbers that decide how tensors are read; `check_spec` sees to the others."""
    for name, low, high in (
        ("in_channels", 1, MAX_CHANNELS),
        ("out_channels", 1, MAX_CHANNELS),
        ("bases", 1, MAX_BASES),
        ("weight_bits", 1, 8),
        ("weight_offset", -128, 127),
        ("weight_step", 1, 255),
    ):
        if not low <= (value := getattr(geometry, name)) <= high:
            raise ValueError(f"{name}: got {value}, expected {low} to {high}")
    if min(geometry.kernel) < 1:
        raise ValueError(f"kernel: got {geometry.kernel}, expected at least 1x1")


def _levels(spec: LayerSpec) -> tuple[int, int]:
    """(offset, step) of the coarsest integer grid that holds all weights."""
    if spec.weight_bits == 1:
        return -1, 2
    values = torch.unique(spec.weight).tolist()
    step = math.gcd(*(value - values[0] for value in values)) or 1
    if (values[-1] - values[0]) // step >= 2**spec.weight_bits:
        raise ValueError(
            f"weight: values from {values[0]} to {values[-1]} in steps of {step} do not fit {spec.weight_bits} bits"
        )
    return values[0], step


def _check_words(name: str, words: Tensor, shape: tuple[int, ...]) -> None:
    if words.dtype != torch.int64 or tuple(words.shape) != shape:
        raise ValueError(f"{name}: got {words.dtype} {tuple(words.shape)}, expected int64 {list(shape)}")
