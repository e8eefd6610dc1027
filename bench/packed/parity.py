"""Is the packed network the trained one? Integers with ==, floats to rounding, layer by layer and end to end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import isnan, nan

import torch
from torch import Tensor, nn

from bench.contract.gates import gate
from bench.layer.reference import accumulate
from bench.packed.chain import unequal_chains
from bench.packed.pack import deployable_units, packed_units

TOLERANCE = 1e-5
"""Largest difference allowed, relative to the largest value of the tensor compared."""


@dataclass(frozen=True)
class Parity:
    """Differences between a trained network and its packed twin on one image."""

    layers: int
    """Packed layers compared; 0 when the network has none"""
    unequal_accumulators: tuple[str, ...]
    """Layers whose integer accumulators differ anywhere; empty when all are equal"""
    layer_error: float
    """Worst packed layer against its training expression on the trained network's own activations, relative"""
    output_max_abs: float
    """End to end, largest absolute difference of the two outputs (images in [0, 1])"""
    output_error: float
    """The same relative to the output's largest value"""
    unequal_chains: tuple[str, ...] = ()
    """Chains that give other bits than their layers one at a time; empty when all give the same"""

    @property
    def passed(self) -> bool:
        exact = not self.unequal_accumulators and not self.unequal_chains
        return exact and self.layer_error <= TOLERANCE and self.output_error <= TOLERANCE

    def reason(self) -> str:
        """Why it did not pass, in one line; empty when it did."""
        if self.unequal_accumulators:
            return f"integer accumulators differ in {', '.join(self.unequal_accumulators[:3])}"
        if self.unequal_chains:
            return (
                f"layers that advance together give other bits than one at a time: {', '.join(self.unequal_chains[:3])}"
            )
        if not self.layer_error <= TOLERANCE:  # in the form that NaN fails
            return f"a packed layer differs from its training expression by {self.layer_error:.2g} of its range"
        if not self.output_error <= TOLERANCE:
            return f"the packed output differs from the trained one by {self.output_error:.2g} of its range"
        return ""


def worst(errors: Iterable[float]) -> float:
    """The largest of some errors, 0 of none. NaN is worse than any number; `max` would keep whichever came first."""
    errors = list(errors)
    return nan if any(isnan(error) for error in errors) else max(errors, default=0.0)


@gate("refused", broken_by="tests/test_gates_infer.py::test_a_network_that_answers_nan_after_a_while_gets_no_number")
def worst_parity(outcomes: Iterable[Parity]) -> Parity:
    """Every output of a timed pass is compared with the trained network's output for the same picture, in the form that
    NaN fails. The first outcome that does not pass, else the one with the largest error.
    """
    outcomes = list(outcomes)
    failed = next((outcome for outcome in outcomes if not outcome.passed), None)
    return failed or max(outcomes, key=lambda outcome: outcome.output_error)


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """max |actual - expected| / max |expected|."""
    return float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-12))


@dataclass(frozen=True)
class LayerParity:
    """Every packed layer compared on the trained network's own activations, and what that network made of the image."""

    layers: int
    unequal_accumulators: tuple[str, ...]
    unequal_chains: tuple[str, ...]
    layer_error: float
    output: Tensor
    """The trained network's output (N, 3, scale*H, scale*W)"""

    def with_output(self, packed_output: Tensor) -> Parity:
        """Joined with the end-to-end difference of one output of the packed network."""
        return Parity(
            layers=self.layers,
            unequal_accumulators=self.unequal_accumulators,
            unequal_chains=self.unequal_chains,
            layer_error=self.layer_error,
            output_max_abs=float((packed_output - self.output).abs().max()),
            output_error=relative_error(packed_output, self.output),
        )


def check_layers(trained: nn.Module, packed: nn.Module, image: Tensor) -> LayerParity:
    """Compare layer by layer on one image batch (N, 3, H, W) in [0, 1]; both networks in evaluation mode."""
    twins, unequal, errors = packed_units(packed), [], []

    def compare(name: str, unit: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        grid = x if x.dim() == 4 else x.transpose(1, 2).unsqueeze(-1)
        expected = torch.stack(accumulate(unit.spec(), grid)).permute(0, 1, 3, 4, 2)
        if not torch.equal(twins[name].layer.accumulators(grid).to(expected.dtype), expected):
            unequal.append(name)
        output = twins[name](x)
        error = _training_error(unit, x, output)
        if not error <= TOLERANCE:  # a float32 convolution over thousands of inputs rounds more than the integers do
            error = _training_error(copy.deepcopy(unit).double(), x.double(), output)
        errors.append(error)

    hooks = [unit.register_forward_pre_hook(_once(partial(compare, name))) for name, unit in deployable_units(trained)]
    try:
        with torch.no_grad():
            output = trained(image)
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        chains = unequal_chains(packed, lambda: packed(image))
    return LayerParity(len(errors), tuple(unequal), chains, worst(errors), output)


def check_parity(trained: nn.Module, packed: nn.Module, image: Tensor) -> Parity:
    """Layer by layer and end to end on one image batch (N, 3, H, W) in [0, 1]; both in evaluation mode."""
    layers = check_layers(trained, packed, image)
    with torch.no_grad():
        return layers.with_output(packed(image))


@torch.enable_grad()
def _training_error(unit: nn.Module, x: Tensor, output: Tensor) -> float:
    """Relative difference of a packed unit's output from the unit's training expression."""
    return relative_error(output, unit(x).detach())


def _once(compare: Callable[[nn.Module, tuple[Tensor, ...]], None]) -> Callable[..., None]:
    """A pre-forward hook that does not see the call it makes itself."""
    busy = False

    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal busy
        if not busy:
            busy = True
            compare(module, inputs)
            busy = False

    return hook
