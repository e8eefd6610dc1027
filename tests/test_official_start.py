"""How the official code starts its layers (init.csv): distribution, bound and constants, measured on our networks."""

from __future__ import annotations

import csv
from functools import cache

import pytest
import torch
from official_kit import folders
from torch import Tensor, nn

from algorithms.cadyq.selector import BitSelector
from algorithms.quantsr.slimmable import ShortcutBlock
from bench.contract import UserError
from bench.nn.algorithm import parts_of, tagged
from bench.nn.build import build_network
from bench.nn.uniform_act import PamsRange
from bench.nn.unit import RPReLU, Unit
from bench.plan.discover import discover

KEYS = {
    "BBCU-L": ("bbcu", "srresnet"), "BBCU-M": ("bbcu_m", "srresnet"), "E2FIF": ("e2fif", "srresnet"),
    "E2FIF repeat tail": ("e2fif_repeat", "edsr"), "ReActNet": ("reactnet", "srresnet"),
    "ReAct (BiBench)": ("reactnet", "srresnet"), "Bi-Real": ("bireal", "srresnet"),
    "Bi-Real (BiBench)": ("bireal", "srresnet"), "BNN": ("bnn", "srresnet"), "XNOR-Net": ("xnor", "srresnet"),
    "DoReFa 1 bit": ("dorefa_1", "srresnet"), "XNOR-Net++": ("xnorpp", "srresnet"), "FDA": ("fda", "srresnet"),
    "ReCU (CIFAR)": ("recu", "srresnet"), "IR-Net (CIFAR)": ("irnet", "srresnet"), "PAMS": ("pams_4", "edsr"),
    "CADyQ": ("cadyq", "edsr"), "QuantSR": ("quantsr_4", "edsr"),
}  # fmt: skip
"""Method as the file calls it -> key, and the backbone nearest to its official network."""
PLACES = {
    "body": "body", "binary layer": "body", "first convolution": "head", "before the shuffle": "upsample",
    "full-size convolution": "conv_hr", "last convolution": "tail", "before the long skip": "after_body",
}  # fmt: skip
PARTS = {
    "body; threshold and both shifts": lambda net: [
        *(unit.quantize_act.shift for unit in parts_of(net, Unit)),
        *(shift for bend in parts_of(net, RPReLU) for shift in (bend.before, bend.after)),
    ],
    "body; PReLU slope": lambda net: [bend.slope for bend in parts_of(net, RPReLU)],
    "body; learned scale": lambda net: [unit.quantize_weight.scale for unit in parts_of(net, Unit)],
    "body; channel shift": lambda net: [unit.quantize_act.shift for unit in parts_of(net, Unit)],
    "channel; row and column factor": lambda net: [
        tensor
        for unit in parts_of(net, Unit)
        for tensor in (unit.quantize_weight.scale, unit.scale_map.row, unit.scale_map.column)
    ],
    "weight noise; first matrix": lambda net: noises(net, "quantize_weight", "down"),
    "weight noise; second matrix": lambda net: noises(net, "quantize_weight", "up"),
    "activation noise; first matrix": lambda net: noises(net, "quantize_act", "down"),
    "activation noise; second matrix": lambda net: noises(net, "quantize_act", "up"),
    "range alpha before calibration": lambda net: [act.alpha for act in parts_of(net, PamsRange)],
    "selector; weight": lambda net: [selector.logits.weight for selector in parts_of(net, BitSelector)],
    "selector; bias (4; 6; 8 bits)": lambda net: [selector.logits.bias for selector in parts_of(net, BitSelector)],
    "block shortcut": lambda net: [block.learned_shortcut for block in parts_of(net, ShortcutBlock)],
    "FP convolutions; bias": lambda net: [m.bias for _, m, claim in tagged(net) if claim.full_precision],
}
"""Layer as the file calls it -> the tensors, where it is no convolution's weight or bias."""


def rows() -> list[dict[str, str]]:
    path = next((folder / "init.csv" for folder in folders() if (folder / "init.csv").is_file()), None)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path else []


@cache
def as_printed(key: str, backbone: str) -> nn.Module:
    """The network that begins as its paper's own does."""
    kind = type(discover().loader(key))
    return build_network(type(f"Printed{kind.__name__}", (kind,), {"as_printed": True})(), backbone, 2)


def noises(network: nn.Module, quantizer: str, matrix: str) -> list[Tensor]:
    return [getattr(getattr(unit, quantizer).noise, matrix) for unit in parts_of(network, Unit)]


def tensors_of(network: nn.Module, layer: str) -> list[Tensor]:
    """The tensors that a row speaks of."""
    if layer in PARTS:
        return PARTS[layer](network)
    where, kind = layer.split("; ")[0], layer.split("; ")[-1]
    place = next(place for name, place in PLACES.items() if where.startswith(name))
    layers = [module for _, module, claim in tagged(network) if claim.place == place]
    found = [next(parts_of(module, (Unit, nn.Conv2d))) for module in layers]
    return [getattr(module, kind) for module in found]


def misses(row: dict[str, str], values: Tensor) -> list[str]:
    """What of a row's exact figures the values do not meet, within six times the error of so small a sample."""
    slack = 6 / len(values) ** 0.5
    got = {"std_exact": values.std(correction=0), "mean_abs_exact": values.abs().mean()}
    far = [name for name, value in got.items() if float(value) != pytest.approx(float(row[name]), rel=slack, abs=1e-9)]
    if row["bound"] and float(values.abs().max()) > float(row["bound"]) * (1 + 1e-5):
        far.append("bound")
    constants = row["distribution"].startswith("constant") and row["distribution"].split()[1:]
    return [*far, "constants"] if constants and set(values.tolist()) != {float(c) for c in constants} else far


@pytest.mark.parametrize("row", rows() or [None], ids=lambda row: row and f"{row['method']}, {row['layer']}")
def test_layers_start_as_in_the_official_code(row: dict[str, str] | None) -> None:
    if row is None:
        pytest.skip("no init.csv in " + " or ".join(map(str, folders())))
    if not row["project_std_today"]:
        pytest.skip("no network here has such a layer")
    key, backbone = KEYS[row["method"]]
    network = as_printed(key, backbone)
    values = torch.cat([tensor.detach().double().flatten() for tensor in tensors_of(network, row["layer"])])
    known = discover().cards[key].xfail.get(f"official.init.{row['layer']}")
    assert bool(misses(row, values)) is bool(known), (misses(row, values), known)


def test_another_start_is_told() -> None:
    row = {"std_exact": "0.5774", "mean_abs_exact": "0.5", "bound": "1", "distribution": "uniform in +-1"}
    values = torch.rand(4096, dtype=torch.float64) * 2 - 1
    assert misses(row, values) == []
    assert misses(row, values * 1.2) == ["std_exact", "mean_abs_exact", "bound"]
    assert misses(row, values.abs()) == ["std_exact"]
    row = {"std_exact": "0", "mean_abs_exact": "0.25", "bound": "", "distribution": "constant 0.25"}
    assert misses(row, torch.full((9,), 0.25)) == [] and misses(row, torch.full((9,), 0.26)) != []


def test_a_start_that_nobody_knows_is_a_users_mistake() -> None:
    class Misspelt(type(discover().loader("bnn"))):
        start, as_printed = "positiv", True

    with pytest.raises(UserError, match=r"positiv.*positive"):
        Misspelt().layer("body", 8, 8, 3)
