"""Weights in 10 bits: how reference weights are committed, of any method, full precision included.

Each output channel of a large tensor has its own step, and no level is zero: every weight keeps its sign, so a
binarized network keeps its binary weights. A weight moves by at most a thousandth of its channel's largest.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

LEVELS = 1024
SMALLEST = 4096
"""Tensors with fewer elements stay as they are."""
_PARTS = ("high", "low", "step", "shape")


def compact(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace each large float tensor by its parts: ``name@high``, ``@low`` (uint8), ``@step``, ``@shape``."""
    packed: dict[str, Tensor] = {}
    for name, value in state.items():
        value = value.detach().cpu()
        if not value.is_floating_point() or value.dim() < 2 or value.numel() < SMALLEST:
            packed[name] = value.contiguous()
            continue
        rows = value.float().flatten(1)
        step = rows.abs().amax(1) / (LEVELS // 2)
        level = torch.floor(rows / step.clamp_min(torch.finfo(torch.float32).tiny)[:, None])
        level = (level.clamp(-LEVELS // 2, LEVELS // 2 - 1) + LEVELS // 2).to(torch.int32).flatten()
        low = torch.nn.functional.pad(level & 3, (0, -level.numel() % 4)).view(-1, 4)
        shifts = torch.tensor([0, 2, 4, 6], dtype=torch.int32)
        parts = ((level >> 2).to(torch.uint8), (low << shifts).sum(1).to(torch.uint8), step, torch.tensor(value.shape))
        packed |= {f"{name}@{part}": tensor for part, tensor in zip(_PARTS, parts, strict=True)}
    return packed


def expand(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `compact` packed, as float32; a state without packed tensors comes back as it is."""
    state: dict[str, Tensor] = {}
    for key, value in packed.items():
        name, at, part = key.rpartition("@")
        if not at or part not in _PARTS:
            state[key] = value
        elif part == "high":
            low, step, shape = (packed[f"{name}@{p}"] for p in _PARTS[1:])
            low = (low[:, None] >> torch.tensor([0, 2, 4, 6], dtype=torch.uint8)).bitwise_and(3).flatten()
            level = value.to(torch.int32) * 4 + low[: value.numel()].to(torch.int32) - LEVELS // 2
            rows = (level.float() + 0.5).view(int(shape[0]), -1) * step[:, None]
            state[name] = rows.view(*shape.tolist())
    return state
