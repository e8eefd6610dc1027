"""Counts a network's layers by running it once on shapes alone, and by what each layer claims to be."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import flop_registry

from bench.contract import Card
from bench.layer.idle import drop_idle
from bench.nn.algorithm import Algorithm, Tag, tagged
from bench.nn.build import build_network
from bench.nn.calls import CallCount
from bench.nn.network import PARTS
from bench.nn.running_layer import ClaimStack
from bench.nn.shapes import ShapesOnly
from bench.nn.unit import Unit

aten = torch.ops.aten
WEIGHT = {aten.convolution.default: 1, aten.addmm.default: 2, aten.mm.default: 1}
"""Position of the weights among the arguments; other products have none."""
PRODUCTS, NORMALISATION = "matrix products", "normalisation"
"""Names under which work without weights is counted that runs outside every claimed layer."""


@dataclass(frozen=True)
class LayerCount:
    """One claimed layer as it ran: a convolution, a linear layer, a normalisation, attention's products."""

    name: str
    part: str
    """head, body, upsampler or tail"""
    place: str
    macs: int
    """Multiply-accumulates of one base"""
    outputs: int
    """Output elements of its convolutions and linear layers"""
    normalised: int
    """Elements that pass through layer or group normalisation, which does not fold into a neighbour"""
    weights: int
    """Weights of its convolutions and linear layers, one base"""
    biases: int
    bits_w: int
    bits_a: int
    bases: int
    extras: int
    """Other parameters of a full-precision layer: gains and offsets of a normalisation, position tables"""
    floats: int
    """Floats stored beside the weights of a quantized layer (scales, thresholds, slopes, bias); 0 for others"""

    @property
    def full_precision(self) -> bool:
        return self.bits_w == 32 and self.bits_a == 32


@dataclass(frozen=True)
class NetworkCount:
    layers: tuple[LayerCount, ...]
    parameters: int
    """Every parameter of the network as trained"""
    other_floats: int
    """Parameters outside claimed layers (normalisation, slopes between layers)"""
    calls: dict[str, int]
    """Calls of each claimed layer and quantized unit in the pass that was counted"""


def count_network(network: nn.Module, lr_size: tuple[int, int]) -> NetworkCount:
    """Count ``network`` on an input of ``lr_size`` = (width, height) low-resolution pixels.

    The network is moved to the meta device: nothing is computed, only shapes flow. Raises RuntimeError when a
    convolution or linear layer carries no claim. Multiply-accumulates of an operation are torch's own formula for it
    (the one behind FlopCounterMode).
    """
    network = network.to("meta").eval().requires_grad_(False)
    width, height = lr_size
    with ClaimStack(network) as stack, CallCount(network) as count, _Counter(stack) as counter:
        network(torch.empty(1, 3, height, width, device="meta"))
    modules = {name: module for name, module, _ in tagged(network)}
    layers = tuple(_layer(name, counter, modules.get(name)) for name in counter.tags)
    claimed = {id(p) for module in modules.values() for p in module.parameters()}
    other = sum(p.numel() for p in network.parameters() if id(p) not in claimed)
    return NetworkCount(layers, sum(p.numel() for p in network.parameters()), other, count.take())


def count_as_run(network: nn.Module, lr_size: tuple[int, int]) -> NetworkCount:
    """Count a copy of a network in which what does not run is dropped, so that its calls are those of a real pass."""
    running = copy.deepcopy(network)
    drop_idle(running)
    with torch.enable_grad():  # the training form: the deployed one computes integers, which shapes alone cannot
        return count_network(running, lr_size)


def count_algorithm(algorithm: Algorithm, backbone: str, scale: int, lr_size: tuple[int, int]) -> NetworkCount:
    """Build the method's network on shapes alone and count it (see `count_network`). Raises Unsupported."""
    with torch.device("meta"), ShapesOnly():
        network = build_network(algorithm, backbone, scale)
    return count_network(network, lr_size)


@lru_cache
def count_reference(backbone: str, scale: int, lr_size: tuple[int, int]) -> NetworkCount:
    """The backbone in full precision; counted once a process."""
    return count_algorithm(_FullPrecision(), backbone, scale, lr_size)


class _FullPrecision(Algorithm):
    card = Card("fp32", "Full precision", "bench.nn.complexity:_FullPrecision", 32, 32)
    scope = frozenset()


class _Counter(ShapesOnly):
    """Sees every convolution, matrix product and normalisation below autograd, and in which claimed layer it runs."""

    def __init__(self, claims: ClaimStack):
        super().__init__()
        self.tags: dict[str, Tag] = {}
        self.macs, self.outputs, self.normalised, self.weights = Counter(), Counter(), Counter(), Counter()
        self._claims = claims
        self._seen: dict[tuple[str, int, int], Tensor] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = super().__torch_dispatch__(func, types, args, kwargs)
        if func in (aten.native_layer_norm.default, aten.native_group_norm.default):
            self.normalised[self._name(NORMALISATION)] += out[0].numel()
        elif (formula := flop_registry.get(func._overloadpacket)) is not None:
            weight = args[WEIGHT[func]] if func in WEIGHT else None
            if weight is not None and self._claims.current is None:
                raise RuntimeError(
                    f"{func} with a weight {tuple(weight.shape)} carries no claim of its precision. "
                    "Make the layer with Algorithm.layer(), or mark it with bench.nn.algorithm.tag()."
                )
            name = self._name(PRODUCTS)
            self.macs[name] += formula(*args, **kwargs, out_val=out) // 2
            if weight is not None:
                self.outputs[name] += out.numel()
                self._weigh(name, weight)
        return out

    def _name(self, unclaimed: str) -> str:
        name, claim = self._claims.current or (unclaimed, Tag("attention"))
        self.tags.setdefault(name, claim)
        return name

    def _weigh(self, name: str, weight: Tensor) -> None:
        """Count a layer's weights once, however often it uses them."""
        key = (name, weight.untyped_storage()._cdata, weight.storage_offset())
        if key not in self._seen:
            self._seen[key] = weight  # held, so that its storage keeps its identity
            self.weights[name] += weight.numel()


def _layer(name: str, counter: _Counter, module: nn.Module | None) -> LayerCount:
    claim, weights, part = counter.tags[name], counter.weights[name], name.split(".")[0]
    own = [] if module is None else list(_own(module))
    units = [m for m in own if isinstance(m, Unit)]
    biases = sum(m.bias.numel() for m in own if isinstance(m, nn.Conv2d | nn.Linear | Unit) and m.bias is not None)
    plain = sum(p.numel() for m in own if not isinstance(m, Unit) for p in m.parameters(recurse=False))
    beside = max(0, plain - weights + sum(unit.weight.numel() for unit in units))
    return LayerCount(
        name=name,
        part=part if part in PARTS else "body",
        place=claim.place,
        macs=counter.macs[name],
        outputs=counter.outputs[name],
        normalised=counter.normalised[name],
        weights=weights,
        biases=biases,
        bits_w=claim.bits_w,
        bits_a=claim.bits_a,
        bases=claim.bases,
        extras=beside - biases if claim.full_precision else 0,
        floats=0 if claim.full_precision else beside + sum(unit.stored_floats() for unit in units),
    )


def _own(module: nn.Module) -> Iterator[nn.Module]:
    """A claimed module and what it is made of, without what makes a claim of its own; a `Unit` in one piece."""
    yield module
    if not isinstance(module, Unit):
        for child in module.children():
            if not hasattr(child, "bench_tag"):
                yield from _own(child)
