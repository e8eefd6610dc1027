"""Large pictures in tiles that overlap by the receptive field, so that nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from bench.contract import UserError

PROBE_SIDE = 48
"""Low-resolution side of the picture on which a network is probed."""

TOLERANCE = 1e-6
"""Largest difference, of values in [0, 1], that more surroundings may make."""

_MIN_CORE = 16
_FURTHER = 9
_STATISTICS = frozenset({"_adaptive_avg_pool2d", "amax", "amin", "max", "mean", "min", "std", "sum", "var", "var_mean"})


@dataclass(frozen=True)
class Footprint:
    """What a network needs, found by running it once."""

    reach: int | None
    """Low-resolution pixels to each side on which an output pixel depends through convolutions and filters; None when
    a statistic over the whole picture enters."""
    bytes_per_pixel: float
    """Peak memory of activations for each low-resolution pixel."""


@dataclass(frozen=True)
class Tile:
    """Where a tile is read and which part of its output is kept; low-resolution (top, bottom, left, right)."""

    region: tuple[int, int, int, int]
    core: tuple[int, int, int, int]


class _Observer(TorchDispatchMode):
    """Follows how far each tensor's values reach, and how many bytes are alive."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.side = image.shape[-1]
        self.reach = WeakTensorKeyDictionary({image: 0.0})
        self.alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak, self.farthest = 0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        before = [self.reach[x] for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor) and x in self.reach]
        for tensor in (x for x in tree_leaves(out) if isinstance(x, Tensor)):
            if before:  # made from the picture, not from weights alone
                self.reach[tensor] = max(before) + self._own(func, args, tensor)
                self.farthest = max(self.farthest, self.reach[tensor])
            storage = tensor.untyped_storage()
            self.alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.alive = {key: entry for key, entry in self.alive.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.alive.values()))
        return out

    def _own(self, func: Any, args: Any, out: Tensor) -> float:
        """The operation's own reach in low-resolution pixels."""
        name = func.overloadpacket.__name__
        if name in _STATISTICS and args[0].dim() == 4 and out.numel() <= args[0].shape[:2].numel():
            return inf
        if name == "convolution":
            x, weight, dilation = args[0], args[1], args[5]
            radius = max((k - 1) / 2 * d for k, d in zip(weight.shape[2:], dilation, strict=True))
        elif name.startswith(("avg_pool", "max_pool")):
            x, radius = args[0], max(args[1]) / 2
        elif name.startswith("upsample"):
            x, radius = args[0], 2.0 if "bicubic" in name else 1.0
        else:
            return 0.0
        return radius * self.side / x.shape[-1]


@torch.no_grad()
def footprint(network: nn.Module, device: torch.device) -> Footprint:
    """Run the network, (N, 3, H, W) -> (N, 3, sH, sW) in evaluation mode, once on a small picture."""
    image = torch.rand((1, 3, PROBE_SIDE, PROBE_SIDE), generator=torch.Generator().manual_seed(0)).to(device)
    with _Observer(image) as observer:
        network(image)
    reach = None if observer.farthest == inf else ceil(observer.farthest) + 1
    return Footprint(reach, observer.peak / PROBE_SIDE**2)


@torch.no_grad()
def check_reach(network: nn.Module, scale: int, reach: int, device: torch.device) -> None:
    """Show that surroundings beyond ``reach`` change nothing.

    Raises `UserError` when they do.
    """
    inner = _MIN_CORE + 2 * reach
    side = inner + 2 * _FURTHER
    image = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(1)).to(device)
    wide = network(image)
    narrow = network(image[..., _FURTHER:-_FURTHER, _FURTHER:-_FURTHER])
    border = scale * reach
    kept = narrow[..., border:-border, border:-border]
    border += scale * _FURTHER
    difference = float((kept - wide[..., border:-border, border:-border]).abs().max())
    if not difference <= TOLERANCE:
        raise not_tileable(f"its output depends on more than {reach} pixels around (difference {difference:.1g})")


def not_tileable(why: str) -> UserError:
    """The error for a picture above the memory limit and a network that needs all of it."""
    return UserError(
        f"the picture exceeds the memory limit, and this network cannot be tiled exactly: {why}. Raise "
        "the limit: the track's option memory_mb."
    )


def tiles(height: int, width: int, reach: int, max_pixels: int) -> Iterator[Tile]:
    """Cover a low-resolution picture with cores whose regions, ``reach`` wider, hold at most ``max_pixels``.

    Raises `UserError` when not even the smallest core fits.
    """
    core = int(max_pixels**0.5) - 2 * reach
    if core < _MIN_CORE:
        needed = (_MIN_CORE + 2 * reach) ** 2
        raise UserError(
            f"the memory limit allows {max_pixels} low-resolution pixels at a time, but a tile of this "
            f"network takes at least {needed}. Raise the limit: the track's option "
            "memory_mb."
        )
    for top in range(0, height, core):
        for left in range(0, width, core):
            bottom, right = min(top + core, height), min(left + core, width)
            region = (max(0, top - reach), min(height, bottom + reach), max(0, left - reach), min(width, right + reach))
            yield Tile(region, (top, bottom, left, right))


def run_tiled(run: Callable[[Tensor], Tensor], image: Tensor, scale: int, plan: Iterator[Tile]) -> Tensor:
    """Run (1, 3, H, W) -> (1, 3, sH, sW) tile by tile. The result lies where ``image`` lies."""
    height, width = image.shape[-2:]
    result = image.new_empty((1, 3, height * scale, width * scale))
    for tile in plan:
        (top, bottom, left, right), (a, b, c, d) = tile.region, tile.core
        output = run(image[..., top:bottom, left:right])
        result[..., a * scale : b * scale, c * scale : d * scale] = output[
            ..., (a - top) * scale : (b - top) * scale, (c - left) * scale : (d - left) * scale
        ]
    return result
