"""Counts a network's layers by running it once on shapes alone, and by what each layer claims to be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.nn.algorithm import Tag, tagged
from bench.nn.network import PARTS
from bench.nn.unit import Unit

aten = torch.ops.aten


@dataclass(frozen=True)
class LayerCount:
    """One convolution, linear layer or matrix product, as it ran."""

    name: str
    part: str
    """head, body, upsampler or tail"""
    place: str
    macs: int
    """Multiply-accumulates of one base"""
    outputs: int
    """Output elements"""
    weights: int
    biases: int
    bits_w: int
    bits_a: int
    bases: int
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
    """Parameters outside convolutions and linear layers (normalisation, slopes between layers)"""


def count_network(network: nn.Module, lr_size: tuple[int, int]) -> NetworkCount:
    """Count ``network`` on an input of ``lr_size`` = (width, height) low-resolution pixels.

    The network is moved to the meta device: nothing is computed, only shapes flow. Raises RuntimeError when a
    convolution or linear layer carries no claim, or when the total disagrees with torch's own FlopCounterMode.
    """
    claims = {name: (module, claim) for name, module, claim in tagged(network)}
    floats = {name: _stored_floats(module) for name, (module, _) in claims.items()}
    network = network.to("meta").eval()
    width, height = lr_size
    mode = _Counter(network, {id(module): (name, claim) for name, (module, claim) in claims.items()})
    with FlopCounterMode(display=False) as flops, mode:
        network(torch.empty(1, 3, height, width, device="meta"))
    total = sum(call.macs for call in mode.calls)
    if 2 * total != flops.get_total_flops():
        raise RuntimeError(
            f"counted {total} multiply-accumulates, torch's FlopCounterMode {flops.get_total_flops() / 2}"
        )
    layers = tuple(_merge(name, claim, mode, floats) for name, claim in mode.seen.items())
    inside = sum(p.numel() for name, (module, _) in claims.items() for p in module.parameters())
    parameters = sum(p.numel() for p in network.parameters())
    return NetworkCount(layers, parameters, parameters - inside)


def _stored_floats(module: nn.Module) -> int:
    return sum(unit.stored_floats() for unit in module.modules() if isinstance(unit, Unit))


@dataclass(frozen=True)
class _Call:
    name: str
    macs: int
    outputs: int
    weights: int
    biases: int


class _Counter(TorchDispatchMode):
    """Sees every convolution and matrix product below autograd, and knows which claimed layer it ran in."""

    def __init__(self, network: nn.Module, claims: dict[int, tuple[str, Tag]]):
        super().__init__()
        self.calls: list[_Call] = []
        self.seen: dict[str, Tag] = {}
        self._stack: list[tuple[str, Tag]] = []
        for module in network.modules():
            if id(module) in claims:
                module.register_forward_pre_hook(partial(self._enter, claims[id(module)]))
                module.register_forward_hook(self._leave)

    def _enter(self, claim: tuple[str, Tag], *_: object) -> None:
        self._stack.append(claim)

    def _leave(self, *_: object) -> None:
        self._stack.pop()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            weight, bias = args[1], args[2]
            self._record("convolution", weight, bias, out, out.numel() * weight[0].numel())
        elif func in (aten.addmm.default, aten.mm.default):
            bias, left, right = args if len(args) == 3 else (None, *args)
            self._record("linear layer", right, bias, out, out.numel() * left.shape[-1])
        elif func in (aten.bmm.default, aten.baddbmm.default):
            macs = out.numel() * args[-2].shape[-1]
            self._add("attention", Tag("linear"), _Call("attention", macs, out.numel(), 0, 0))
        return out

    def _record(self, kind: str, weight: Tensor, bias: Tensor | None, out: Tensor, macs: int) -> None:
        if not self._stack:
            raise RuntimeError(
                f"a {kind} with weight {tuple(weight.shape)} carries no claim of its precision. "
                "Make it with Algorithm.layer(), or mark it with bench.nn.algorithm.tag()."
            )
        name, claim = self._stack[-1]
        biases = 0 if bias is None else bias.numel()
        self._add(name, claim, _Call(name, macs, out.numel(), weight.numel(), biases))

    def _add(self, name: str, claim: Tag, call: _Call) -> None:
        self.seen.setdefault(name, claim)
        self.calls.append(call)


def _merge(name: str, claim: Tag, mode: _Counter, floats: dict[str, int]) -> LayerCount:
    calls = [call for call in mode.calls if call.name == name]
    part = name.split(".")[0]
    return LayerCount(
        name=name,
        part=part if part in PARTS else "body",
        place=claim.place,
        macs=sum(call.macs for call in calls),
        outputs=sum(call.outputs for call in calls),
        weights=sum(call.weights for call in calls),
        biases=sum(call.biases for call in calls),
        bits_w=claim.bits_w,
        bits_a=claim.bits_a,
        bases=claim.bases,
        floats=floats.get(name, 0),
    )
