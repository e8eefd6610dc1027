"""A packed network taken apart: its full-precision modules and its packed layers, each run alone."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.packed.chain import Chain
from bench.packed.layer import PackedLayer
from bench.packed.parity import TOLERANCE, relative_error
from bench.packed.peers.binary import openvino_layer


@dataclass(frozen=True)
class Call:
    """One call of a module in a pass, with arguments of the same shapes."""

    module: nn.Module
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        return self.module(*self.arguments)


@dataclass(frozen=True)
class Pieces:
    """What one pass consists of, in the order of the pass."""

    full_precision: tuple[Call, ...]
    """Calls of the largest modules without a packed layer. What happens between modules (shortcuts, attention's
    products, interpolation, image range) belongs to none of them."""
    layers: tuple[Call, ...]
    """Calls of packed layers, a chain being one call"""


@torch.no_grad()
def take_apart(network: nn.Module, image: Tensor) -> Pieces:
    """The pieces of a packed network, from one pass over ``image``; afterwards its layers hand each other no bits.

    Calls with arguments of the same shape and strides share them, so that a deep network's activations fit in memory.
    """
    calls: list[Call] = []
    kept: dict[tuple, Tensor] = {}

    def keep(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        # Detached: packed bits that another layer left on it are not part of the input.
        return kept.setdefault((value.shape, value.stride(), value.dtype), value.detach())

    def record(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        calls.append(Call(module, tuple(keep(value) for value in inputs)))

    hooks = [piece.register_forward_pre_hook(record) for piece in _pieces(network)]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    packed = [isinstance(call.module, PackedLayer | Chain) for call in calls]
    layers = tuple(itertools.compress(calls, packed))
    for call in layers:
        if isinstance(call.module, PackedLayer):
            call.module.next = None
    return Pieces(tuple(itertools.compress(calls, map(operator.not_, packed))), layers)


SHRINK = 8
"""By so much smaller an image has all its activations in the cache"""


def shrunk(calls: tuple[Call, ...], by: int) -> tuple[Call, ...]:
    """The calls on the upper left corners of their images, 1/``by`` of each side, in memory of their own."""

    def corner(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if value.dim() != 4:  # tokens
            return value[:, : -(-value.shape[1] // by**2)].clone()
        height, width = (-(-side // by) for side in value.shape[2:])
        return value[..., :height, :width].clone(memory_format=torch.channels_last)

    return tuple(Call(call.module, tuple(map(corner, call.arguments))) for call in calls)


def in_turn(calls: tuple[Callable[[], Any], ...]) -> Callable[[], None]:
    """What makes all ``calls`` one after another."""

    def run() -> None:
        for call in calls:
            call()

    return run


@torch.no_grad()
def openvino_layers(layers: tuple[Call, ...], threads: int) -> tuple[Callable[[], Tensor], ...]:
    """The same layers on OpenVINO's binary convolution, each compared with ours on its own input first.

    Raises Unsupported, naming the reason, where one cannot be expressed or gives another result.
    """
    built = []
    for call in layers:
        x, skip = call.arguments[0], call.arguments[1]
        if not isinstance(x, Tensor) or x.dim() != 4:
            raise Unsupported("OpenVINO's binary convolution takes images, not tokens or packed bits")
        run = openvino_layer(call.module.spec, x, skip, threads)
        if not (error := relative_error(run(), call())) <= TOLERANCE:
            raise Unsupported(
                f"OpenVINO's binary convolution from {x.shape[1]} channels differs by {error:.2g} of the range on the "
                "same bits"
            )
        built.append(run)
    if not built:
        raise Unsupported("there is no packed layer to compare with")
    return tuple(built)


def _pieces(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, Chain):
        if module.enabled:  # its layers are called elsewhere otherwise
            yield module
        return
    if isinstance(module, PackedLayer) or not any(isinstance(part, PackedLayer) for part in module.modules()):
        yield module
        return
    for child in module.children():
        yield from _pieces(child)
