"""Packed layers that advance together, row by row, so that what one wrote is read while it is in the cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bench.packed.kernels import native
from bench.packed.layer import PackedLayer


@dataclass(frozen=True)
class ChainStep:
    """One layer of a chain. Tensor 0 is the chain's input, tensor i + 1 what step i gives."""

    layer: str
    """Name of the unit in the network"""
    input: int
    """Tensor that is convolved"""
    shortcut: int
    """Tensor that is added; -1 for none"""
    slope: float | None = None
    """Factor below zero of a nonlinearity that follows the unit in the network"""
    added: bool = False
    """True when the network adds the shortcut, not the unit"""


@dataclass(frozen=True)
class ChainRecord:
    """A chain as a packed file tells it."""

    part: str
    """Name of the module whose forward holds the chain"""
    steps: tuple[ChainStep, ...]


@dataclass(frozen=True)
class ChainLimits:
    """How chains run, where it is not the processor that decides; all of it for tests and measurements."""

    group: int = 0
    """Layers that advance together at most; 0: what the caches suggest"""
    strip: int = 0
    """Output columns computed at a time; 0: as above"""
    bands: int = 0
    """Bands of rows; 0: one a thread"""
    caches: tuple[int, int] | None = None
    """Bytes of the first- and second-level cache; None: this processor's"""
    most_bytes: int = 2**31
    """Scratch memory beyond which the layers run one at a time"""


class Chain(nn.Module):
    """Runs ``steps`` as one; its units stay where the network has them.

    Input float32 (N, C, H, W), output alike in channels_last. Falls back to one layer at a time, with a warning, when
    the scratch memory cannot be had.
    """

    limits: ClassVar[ChainLimits] = ChainLimits()
    enabled: ClassVar[bool] = True
    """False: one layer at a time, see `single_layers`"""

    def __init__(self, record: ChainRecord, layers: list[PackedLayer], single: nn.Module):
        """``layers``: of the steps. ``single``: the network's own code for the same."""
        super().__init__()
        self.record = record
        # In a tuple, so that they are not registered here: the network has them.
        self._modules_elsewhere = (tuple(layers), single)
        self.told: dict[str, Any] = {}
        """How the last image ran, for records; see `told_chains`"""
        self._built: tuple[list[Any], list[PackedLayer], Any] | None = None

    @property
    def layers(self) -> tuple[PackedLayer, ...]:
        return self._modules_elsewhere[0]

    @property
    def single(self) -> nn.Module:
        """The same, one layer at a time."""
        return self._modules_elsewhere[1]

    def forward(self, x: Tensor) -> Tensor:
        if not self.enabled or x.dim() != 4:
            return self.single(x)
        chain, n, (h, w) = self._native(), x.shape[0], x.shape[2:]
        limits, threads = self.limits, self.layers[0]._threads()
        if min(n, h, w) < 1:
            return self.single(x)
        plan = chain.plan(n, h, w, threads, (limits.group, limits.strip, limits.bands), limits.caches)
        scratch = plan.worker_bytes * threads + plan.between_bytes
        self.told = {
            "layers": len(self.layers),
            "groups": [end - begin for begin, end in zip([0, *plan.ends], plan.ends, strict=False)],
            "strip": plan.strip,
            "bands": plan.bands,
            "scratch_bytes": scratch,
        }
        if scratch > limits.most_bytes:
            return self._fall_back(x, f"{scratch} bytes of scratch memory are beyond the limit of {limits.most_bytes}")
        image = self.layers[0]._image(x)
        with torch.inference_mode(False):
            out = torch.empty((n, h, w, self.layers[-1].geometry.out_channels))
        try:
            chain.run(image, out, plan, threads)
        except MemoryError:
            return self._fall_back(x, f"{scratch} bytes of scratch memory could not be had")
        for layer in self.layers:
            layer.runs[0] += 1
        return out.permute(0, 3, 1, 2)

    def _fall_back(self, x: Tensor, why: str) -> Tensor:
        warnings.warn(f"{len(self.layers)} packed layers run one at a time: {why}", RuntimeWarning, stacklevel=3)
        self.told = {"layers": len(self.layers), "one_at_a_time": why}
        return self.single(x)

    def _native(self) -> Any:
        """The native chain, built anew when a layer's own native form has changed."""
        sources = [layer._layer for layer in self.layers]
        if self._built is None or any(a is not b for a, b in zip(self._built[0], sources, strict=True)):
            fused = [_fused(*pair) for pair in zip(self.layers, self.record.steps, strict=True)]
            steps = tuple((f._layer, s.input, s.shortcut) for f, s in zip(fused, self.record.steps, strict=True))
            self._built = sources, fused, native().chain(steps)
        return self._built[2]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_built": None, "told": {}}

    def extra_repr(self) -> str:
        return ", ".join(step.layer for step in self.record.steps)


def _fused(layer: PackedLayer, step: ChainStep) -> PackedLayer:
    """The layer with what the network does behind it, as part of its own float work."""
    if step.slope is None and not step.added:
        return layer
    spec = layer.spec
    epilogue = spec.epilogue
    if step.slope is not None:
        epilogue = replace(epilogue, slope=torch.full((spec.out_channels,), step.slope))
    if step.added:
        epilogue = replace(epilogue, skip="after")
    return PackedLayer(replace(spec, epilogue=epilogue), layer.threads)


def chains_of(network: nn.Module) -> dict[str, Chain]:
    """Name -> chain of every chain in a packed network."""
    return {name: module for name, module in network.named_modules() if isinstance(module, Chain)}


def told_chains(network: nn.Module) -> list[dict[str, Any]]:
    """How each chain ran its last image: groups, strip, bands, bytes of scratch, or why one layer at a time."""
    return [chain.told for chain in chains_of(network).values()]


@contextmanager
def single_layers() -> Iterator[None]:
    """Inside, all chains run one layer at a time."""
    before = Chain.enabled
    Chain.enabled = False
    try:
        yield
    finally:
        Chain.enabled = before


def unequal_chains(network: nn.Module, run: Callable[[], object]) -> tuple[str, ...]:
    """Chains whose output differs in any bit from that of their layers one at a time, while ``run`` runs."""
    unequal: list[str] = []

    def compare(name: str) -> Callable[..., None]:
        def hook(chain: Chain, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            with single_layers():
                expected = chain.single(*inputs)
            if not torch.equal(output.nan_to_num(), expected.nan_to_num()) or output.isnan().ne(expected.isnan()).any():
                unequal.append(name)

        return hook

    hooks = [chain.register_forward_hook(compare(name)) for name, chain in chains_of(network).items()]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(unequal)
