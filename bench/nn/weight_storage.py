"""Weights in at most 10 bits: how reference weights are committed, of any method, full precision included.

A large tensor whose output channels hold 16 values at most each (see `bench.nn.latents`) is stored exactly, as 1, 2 or
4 bits a weight and the values. Any other takes 10 bits: each output channel has its own step, and no level is zero, so
every weight keeps its sign and moves by at most a thousandth of its channel's largest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

LEVELS = 1024
SMALLEST = 4096
"""Tensors with fewer elements stay as they are."""
MOST_VALUES = 16
"""An output channel with more values takes 10 bits a weight."""
_TEN_BITS = ("high", "low", "step")
_FEW = ("codes", "values")


def compact(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace each large float tensor by its parts.

    ``name@codes`` (uint8, low bits first), ``@values`` (a channel's values, rising), ``@shape``; or ``name@high``,
    ``@low`` (uint8), ``@step``, ``@shape``.
    """
    packed: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().cpu()
        if not value.is_floating_point() or value.dim() < 2 or value.numel() < SMALLEST:
            packed[name] = value.contiguous()
            continue
        rows = value.float().flatten(1)
        parts = _few_values(rows) or _ten_bits(rows)
        packed |= {f"{name}@{part}": tensor for part, tensor in parts.items()}
        packed[f"{name}@shape"] = torch.tensor(value.shape)
    return packed


def expand(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `compact` packed, as float32; a state without packed tensors comes back as it is."""
    state: dict[str, Tensor] = {}
    for key, value in packed.items():
        name, at, part = key.rpartition("@")
        if not at or part not in (*_TEN_BITS, *_FEW, "shape"):
            state[key] = value
        elif part == "shape":
            form, rebuild = (_TEN_BITS, _from_ten_bits) if f"{name}@high" in packed else (_FEW, _from_few_values)
            shape = tuple(value.tolist())
            state[name] = rebuild(*(packed[f"{name}@{p}"] for p in form), math.prod(shape)).view(shape)
    return state


def _few_values(rows: Tensor) -> dict[str, Tensor] | None:
    """None where a row holds more than `MOST_VALUES` values."""
    found = [row.unique(return_inverse=True) for row in rows]
    most = max(len(values) for values, _ in found)
    if most > MOST_VALUES:
        return None
    bits = next(bits for bits in (1, 2, 4) if 1 << bits >= most)
    values = torch.zeros(len(rows), 1 << bits)
    for row, (own, _) in zip(values, found, strict=True):
        row[: len(own)] = own
    codes = torch.cat([where for _, where in found])
    return {"codes": _join(codes, bits), "values": values}


def _from_few_values(codes: Tensor, values: Tensor, count: int) -> Tensor:
    bits = values.shape[1].bit_length() - 1
    return values.gather(1, _split(codes, bits)[:count].view(len(values), -1).long())


def _ten_bits(rows: Tensor) -> dict[str, Tensor]:
    step = rows.abs().amax(1) / (LEVELS // 2)
    level = torch.floor(rows / step.clamp_min(torch.finfo(torch.float32).tiny)[:, None])
    level = (level.clamp(-LEVELS // 2, LEVELS // 2 - 1) + LEVELS // 2).to(torch.int32).flatten()
    return {"high": (level >> 2).to(torch.uint8), "low": _join(level & 3, 2), "step": step}


def _from_ten_bits(high: Tensor, low: Tensor, step: Tensor, count: int) -> Tensor:
    level = high.to(torch.int32) * 4 + _split(low, 2)[:count].to(torch.int32) - LEVELS // 2
    return (level.float() + 0.5).view(len(step), -1) * step[:, None]


def _join(codes: Tensor, bits: int) -> Tensor:
    """Codes of 1, 2 or 4 bits, as bytes; the last byte is filled up with zeros."""
    each = 8 // bits
    grouped = torch.nn.functional.pad(codes.to(torch.int32), (0, -codes.numel() % each)).view(-1, each)
    return (grouped << torch.arange(0, 8, bits, dtype=torch.int32)).sum(1).to(torch.uint8)


def _split(packed: Tensor, bits: int) -> Tensor:
    """The codes of `_join`, with the zeros that fill its last byte."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    return (packed[:, None] >> shifts).bitwise_and((1 << bits) - 1).flatten()
