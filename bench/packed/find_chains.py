"""Which layers of a packed network follow one another, read off the network's own code.

A part's ``forward`` is traced with its units as single nodes. A chain grows from a unit as long as the next node is
another same-size unit on a tensor of the chain, or something that fits the epilogue of the unit before: an activation
without parameters, or the addition of an earlier tensor. It ends where anything else wants one of its tensors.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from bench.layer.unit_base import UnitShell
from bench.packed.chain import Chain, ChainRecord, ChainStep
from bench.packed.layer import PackedLayer

LEAST = 2
"""Layers of a chain that is worth the name"""


class _Units(fx.Tracer):
    """Sees units, and whatever holds none, as one node each."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, UnitShell) or not any(isinstance(part, UnitShell) for part in m.modules())


@dataclass
class _Found:
    """A chain that grows: steps, and which tensor of the chain each node of the graph is."""

    start: fx.Node
    steps: list[ChainStep] = field(default_factory=list)
    units: list[nn.Module] = field(default_factory=list)
    tensors: dict[fx.Node, int] = field(default_factory=dict)
    clamped: set[int] = field(default_factory=set)
    """Tensors that only signs are taken of, so that their clamping was left out"""

    @property
    def nodes(self) -> list[fx.Node]:
        return [node for node in self.tensors if node is not self.start]

    @property
    def end(self) -> fx.Node:
        return self.nodes[-1]

    def sound(self) -> bool:
        """Only the last node is used outside, and it holds what the chain gives."""
        inside = set(self.nodes)
        open_ends = [node for node in self.nodes if not set(node.users) <= inside]
        return len(self.steps) >= LEAST and len(self.steps) not in self.clamped and set(open_ends) <= {self.end}


def join_chains(network: nn.Module) -> None:
    """Put a `Chain` in place of every run of layers that can advance together, in place. Names of units stay."""
    for name, child in [*network.named_children()]:
        _join(network, name, child, name)


def _join(parent: nn.Module, name: str, module: nn.Module, path: str) -> None:
    if sum(isinstance(part, UnitShell) for part in module.modules()) < LEAST:
        return
    try:
        graph = _Units().trace(module)
    except Exception:  # code that depends on values or shapes: fx names no common class for what it cannot trace
        for child_name, child in [*module.named_children()]:
            _join(module, child_name, child, f"{path}.{child_name}")
        return
    found = _chains(graph, module)
    if found:
        setattr(parent, name, _with_chains(module, graph, found, path))


def _chains(graph: fx.Graph, module: nn.Module) -> list[_Found]:
    nodes, found, at = list(graph.nodes), [], 0
    while at < len(nodes):
        chain = _grow(nodes[at:], module)
        if chain is None:
            at += 1
        else:
            found.append(chain)
            at = nodes.index(chain.end) + 1
    return found


def _grow(nodes: list[fx.Node], module: nn.Module) -> _Found | None:
    """The longest sound chain that begins at the first node."""
    if _layer(nodes[0], module) is None:
        return None
    chain = _Found(nodes[0].args[0])
    chain.tensors[chain.start] = 0
    longest = None
    for node in nodes:
        if not any(argument in chain.tensors for argument in node.all_input_nodes):
            continue
        if not _take(chain, node, module):
            break
        if chain.sound():
            longest = replace(chain, steps=[*chain.steps], units=[*chain.units], tensors={**chain.tensors})
    return longest


def _take(chain: _Found, node: fx.Node, module: nn.Module) -> bool:
    """Add ``node`` to the chain. False when it does not fit."""
    if _layer(node, module) is not None:
        return _take_unit(chain, node, module)
    newest = len(chain.steps)
    arguments = [chain.tensors.get(argument) if isinstance(argument, fx.Node) else argument for argument in node.args]
    called = module.get_submodule(node.target) if node.op == "call_module" else node.target
    if node.kwargs or newest == 0 or newest in chain.clamped:
        return False
    step = chain.steps[-1]
    if called in (operator.add, torch.add) and len(arguments) == 2 and newest in arguments:
        (other,) = [a for a, n in zip(arguments, node.args, strict=True) if not _is(chain, n, newest)] or [None]
        if not isinstance(other, int) or not all(isinstance(n, fx.Node) for n in node.args) or step.shortcut >= 0:
            return False
        chain.steps[-1] = replace(step, shortcut=other, added=True)
    elif called is operator.mul and sorted(map(str, arguments)) == sorted(map(str, (1.0, newest))):
        pass
    elif isinstance(called, nn.Hardtanh):
        if not _only_signs(node, module, called.min_val, called.max_val):
            return False
        chain.clamped.add(newest)
    elif (slope := _slope(called)) is not None:
        epilogue = _layer_of(chain.units[-1]).geometry
        tensors = _layer_of(chain.units[-1]).tensors()
        if (
            step.added
            or step.slope is not None
            or epilogue.skip == "after"
            or {"pre", "slope", "post"} & tensors.keys()
        ):
            return False
        chain.steps[-1] = replace(step, slope=slope)
    elif not isinstance(called, nn.Identity):
        return False
    chain.tensors[node] = newest
    return True


def _take_unit(chain: _Found, node: fx.Node, module: nn.Module) -> bool:
    unit = module.get_submodule(node.target)
    source = chain.tensors.get(node.args[0])
    if source is None:
        return False
    chain.steps.append(ChainStep(node.target, source, source if unit.skip != "none" else -1))
    chain.units.append(unit)
    chain.tensors[node] = len(chain.steps)
    return True


def _is(chain: _Found, node: Any, tensor: int) -> bool:
    return isinstance(node, fx.Node) and chain.tensors.get(node) == tensor


def _layer_of(unit: nn.Module) -> PackedLayer:
    return unit.layer


def _layer(node: fx.Node, module: nn.Module) -> PackedLayer | None:
    """The packed layer that ``node`` runs, if it may be part of a chain."""
    unit = module.get_submodule(node.target) if node.op == "call_module" else None
    layer = getattr(unit, "layer", None)
    if not isinstance(unit, UnitShell) or not isinstance(layer, PackedLayer) or node.kwargs or len(node.args) != 1:
        return None
    g = layer.geometry
    same_size = g.stride == 1 and all(
        side % 2 == 1 and pad == g.dilation * (side // 2) for side, pad in zip(g.kernel, g.padding, strict=True)
    )
    own_shortcut = g.skip == "none" or g.in_channels == g.out_channels
    return layer if same_size and own_shortcut and not g.scale_map else None


def _slope(called: Any) -> float | None:
    """Factor below zero of a ReLU or leaky ReLU without parameters."""
    if isinstance(called, nn.ReLU) or called in (F.relu, torch.relu):
        return 0.0
    return float(called.negative_slope) if isinstance(called, nn.LeakyReLU) else None


def _only_signs(node: fx.Node, module: nn.Module, low: float, high: float) -> bool:
    """Whether all that reads ``node`` takes signs at thresholds in (low, high], which clamping does not change."""
    for user in node.users:
        layer = _layer(user, module)
        if layer is None or layer.geometry.input != "sign" or layer.geometry.skip != "none":
            return False
        threshold = layer.tensors()["threshold"]
        if not bool(((threshold > low) & (threshold <= high)).all()):
            return False
    return True


def _with_chains(module: nn.Module, graph: fx.Graph, found: list[_Found], path: str) -> fx.GraphModule:
    """``module`` as its graph, in which each chain is one node. Its units keep their names."""
    chains = {f"chain_{i}": _build(chain, module, path) for i, chain in enumerate(found)}
    for name, chain in zip(chains, found, strict=True):
        with graph.inserting_after(chain.end):
            node = graph.call_module(name, (chain.start,))
        chain.end.replace_all_uses_with(node)
        for old in reversed(chain.nodes):
            graph.erase_node(old)
    joined = fx.GraphModule({**_called(module, graph, chains), **_parameters(module, graph)}, graph)
    for name, part in module.named_modules():
        if isinstance(part, UnitShell):  # also those that no node calls any more
            joined.add_submodule(name, part)
    joined.train(module.training)
    return joined


def _called(module: nn.Module, graph: fx.Graph, chains: dict[str, Chain]) -> dict[str, Any]:
    names = [str(node.target) for node in graph.nodes if node.op == "call_module"]
    return {name: chains[name] if name in chains else module.get_submodule(name) for name in names}


def _parameters(module: nn.Module, graph: fx.Graph) -> dict[str, Any]:
    names = [str(node.target) for node in graph.nodes if node.op == "get_attr"]
    return {name: operator.attrgetter(name)(module) for name in names}


def _build(chain: _Found, module: nn.Module, path: str) -> Chain:
    steps = tuple(replace(step, layer=f"{path}.{step.layer}") for step in chain.steps)
    return Chain(ChainRecord(path, steps), [_layer_of(unit) for unit in chain.units], _alone(chain, module))


def _alone(chain: _Found, module: nn.Module) -> fx.GraphModule:
    """The chain's own nodes as a module."""
    graph = fx.Graph()
    copies = {chain.start: graph.placeholder("x")}
    for node in chain.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[chain.end])
    return fx.GraphModule(_called(module, graph, {}), graph)
