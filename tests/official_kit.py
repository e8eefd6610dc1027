"""Figures of the official code against the adapters: where they lie, which array is which tensor, what counts as equal.

A case is one file: inputs, parameters, outputs and gradients (the README beside the files explains each). Files are
looked for in the folder that BISRBENCH_FIXTURES names, else in ``shared/fixtures/official`` beside the checkout, else
among the few that are copied into ``tests/official``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.contract import Card
from bench.nn.algorithm import parts_of
from bench.nn.binarizers import NoisyActSign
from bench.nn.unit import RPReLU, Unit

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared" / "fixtures" / "official"
COPIES = TESTS / "official"

VALUES, GRADIENTS, SCALARS = 2e-6, 5e-6, 2e-5
"""Bounds on max |a - b| / max |b|: outputs, gradients of tensors, gradients of single numbers."""
OPEN_WINDOW = {"dx_open", "dtau_open"}
"""QuantSR's gradients as torch's own clamp gives them, open at its bounds; ours is closed (see the files' README)."""


def folders() -> list[Path]:
    """Where cases are looked for, first come first served."""
    named = os.environ.get("BISRBENCH_FIXTURES")
    if named and not Path(named).is_dir():
        pytest.fail(f"BISRBENCH_FIXTURES={named}: no such folder. Name a folder of cases, or leave it unset.")
    return [Path(named)] if named else [SHARED, COPIES]


class Figures(Mapping[str, Tensor]):
    """The arrays of one case as tensors; remembers which were asked for. Skips the test when the file is absent."""

    def __init__(self, name: str, places: list[Path] | None = None):
        places = folders() if places is None else places
        path = next((p / f"{name}.npz" for p in places if (p / f"{name}.npz").is_file()), None)
        if path is None:
            pytest.skip(f"no {name}.npz in {' or '.join(map(str, places))}, so nothing official to compare with")
        self.name = name
        with np.load(path) as file:
            self._arrays = {key: torch.from_numpy(np.array(file[key])) for key in file.files}
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> Tensor:
        self.used.add(key)
        return self._arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def number(self, key: str) -> float:
        return float(self[key])


@dataclass
class Comparison:
    """What was compared with a case, and how far off each array is."""

    figures: Figures
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Array -> (difference, bound)"""

    def value(self, name: str, got: Tensor, bound: float = VALUES, size: Tensor | None = None) -> None:
        """Compare an array; ``size`` is what its differences are measured against, its own largest value by default."""
        expected = self.figures[name].to(torch.float64)
        got = got.detach().reshape(expected.shape).to(torch.float64)
        size = (expected if size is None else size).abs().max().clamp_min(torch.finfo(torch.float32).tiny)
        self.errors[name] = (float((got - expected).abs().max() / size), bound)

    def gradient(self, name: str, got: Tensor | None, bound: float | None = None) -> None:
        """Compare the gradient of ``name``. Behind a scale, normalisation leaves nothing of the scale's gradient but
        the rounding of sums as large as that of its own gain, against which the difference is then measured."""
        expected = self.figures[f"d{name}"]
        got = torch.zeros(expected.shape) if got is None else got
        gain = f"dbn_weight{name.removeprefix('scale')}"
        size = self.figures[gain] if name.startswith("scale") and gain in self.figures else None
        self.value(f"d{name}", got, bound or (GRADIENTS if expected.numel() > 1 else SCALARS), size)

    def close(self, card: Card) -> None:
        """Every array is met or a known failure on the card, which then has to fail; none is left out."""
        prefix = f"official.{self.figures.name}."
        known = {key.removeprefix(prefix) for key in card.xfail if key.startswith(prefix)}
        far = {name: error for name, (error, bound) in self.errors.items() if not error <= bound}
        assert set(far) == known, f"beyond the bounds: {far}; known on the card of {card.key}: {sorted(known)}"
        left = set(self.figures) - self.figures.used - OPEN_WINDOW
        assert not left, f"arrays that nothing was compared with or set to: {sorted(left)}"


def arrays_of(unit: Unit, suffix: str = "") -> dict[str, Tensor]:
    """Names in a case -> the unit's parameters and buffers."""
    act, weight, norm, bend = unit.quantize_act, unit.quantize_weight, unit.norm, unit.nonlinearity
    found: dict[str, Tensor | None] = {"weight": unit.weight, "bias": unit.bias}
    found["tau" if hasattr(act, "step") else "threshold"] = getattr(act, "shift", None)
    found |= {"step_a": getattr(act, "step", None), "step_w": getattr(weight, "step", None)}
    found["scale" if unit.scale_map is None else "scale_channel"] = getattr(weight, "scale", None)
    if norm is not None:
        found |= {"bn_weight": norm.weight, "bn_bias": norm.bias}
        found |= {"bn_mean": norm.running_mean, "bn_var": norm.running_var}
    if isinstance(bend, RPReLU):
        found |= {"shift_before": bend.before, "prelu_slope": bend.slope, "shift_after": bend.after}
    if hasattr(unit.scale_map, "row"):
        found |= {"scale_row": unit.scale_map.row, "scale_column": unit.scale_map.column}
    if isinstance(act, NoisyActSign):
        for side, quantizer in (("weight", weight), ("act", act)):
            found |= {f"noise_{side}_down": quantizer.noise.down, f"noise_{side}_up": quantizer.noise.up}
    return {name + suffix: value for name, value in found.items() if value is not None}


def arrays_in(module: nn.Module) -> dict[str, Tensor]:
    """The same for every unit of a module, numbered where there are several."""
    units = list(parts_of(module, Unit))
    named = [arrays_of(unit, f"_{i}" if len(units) > 1 else "") for i, unit in enumerate(units, start=1)]
    return {name: value for names in named for name, value in names.items()}


def fill(tensors: Mapping[str, Tensor], figures: Figures) -> None:
    """Set parameters and buffers to a case's arrays. A case without a bias or noise means none: zeros.

    XNOR-Net++ has more rows and columns than the case's picture; the first are set.
    """
    for name, tensor in tensors.items():
        if name not in figures:
            assert name.startswith(("bias", "noise_")), f"the case has no {name}"
            tensor.data.zero_()
            continue
        array = figures[name]
        assert array.numel() == tensor.numel() or name in ("scale_row", "scale_column"), name
        tensor.data.view(-1)[: array.numel()].copy_(array.flatten())


def run(module: nn.Module, figures: Figures, tensors: Mapping[str, Tensor]) -> Comparison:
    """Outputs in both modes, all gradients, and the statistics after one pass, compared with the case."""
    compared = Comparison(figures)
    with torch.no_grad():
        compared.value("y_eval", module.eval()(figures["x"]))
    x = figures["x"].clone().requires_grad_()
    y = module.train()(x)
    compared.value("y_train", y)
    (y * figures["g"]).sum().backward()
    compared.gradient("x", x.grad)
    for name, tensor in tensors.items():
        if f"d{name}" in figures:
            count = figures[f"d{name}"].numel()
            compared.gradient(name, None if tensor.grad is None else tensor.grad.reshape(-1)[:count])
        if name.startswith(("bn_mean", "bn_var")):
            compared.value(name.replace("mean", "mean_after").replace("var", "var_after"), tensor)
    return compared
