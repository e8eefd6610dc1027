"""From a trained network to its packed twin, and to a file and back. Forward stays the network's own code."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract import Unsupported, UserError
from bench.contract.gates import gate
from bench.layer.idle import drop_idle
from bench.layer.spec import LayerSpec
from bench.layer.unit_base import UnitShell
from bench.packed.chain import ChainRecord, chains_of
from bench.packed.fileformat import PackedHeader, load_packed, save_packed
from bench.packed.find_chains import join_chains
from bench.packed.layer import PackedLayer


class PackedUnit(UnitShell):
    """A unit whose convolution runs in the native kernels."""

    def __init__(self, layer: PackedLayer, cin: int, cout: int, skip: str, scale_map: nn.Module | None):
        super().__init__(cin, cout, skip, scale_map)
        self.layer = layer

    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        return self.layer(x, shortcut, scale_map)


def deployable_units(network: nn.Module) -> Iterator[tuple[str, UnitShell]]:
    """Every unit of a trained network that describes itself as a packed layer: (name, unit)."""
    for name, module in network.named_modules():
        if isinstance(module, UnitShell) and hasattr(module, "spec"):
            yield name, module


def pack(network: nn.Module) -> nn.Module:
    """A copy of ``network``, in evaluation mode on the CPU and channels_last, whose quantized units run packed.

    What does not run as the network stands is left out (`bench.layer.idle`). A network without quantized layers comes
    back as a plain copy. Raises Unsupported, naming the layer, when a layer that claims few bits has no packed form.
    """
    packed = replace_units(network, PackedLayer, PackedUnit).to(memory_format=torch.channels_last)
    _work_in_place(packed)
    join_chains(packed)
    return packed


def replace_units(network: nn.Module, deploy: Callable[[LayerSpec], Any], wrap: Callable[..., UnitShell]) -> nn.Module:
    """A copy of ``network``, in evaluation mode on the CPU, without what is idle, and with other units.

    ``deploy`` makes of a unit's description what runs it, ``wrap`` of that (and Ci, Co, skip, scale map) the new unit.
    Raises Unsupported, naming the layer, when one that claims few bits does not describe itself, or not deployably.
    """
    copied = copy.deepcopy(network).cpu().eval()
    drop_idle(copied)
    units = dict(deployable_units(copied))
    for name, module in copied.named_modules():
        claim = getattr(module, "bench_tag", None)
        if claim is None or claim.full_precision:
            continue
        if not any(unit == name or unit.startswith(f"{name}.") for unit in units):
            raise Unsupported(
                f"{name} is a {type(module).__name__}, which has no packed form: build it from bench.nn.unit.Unit"
            )
    for name, unit in units.items():
        try:
            layer = deploy(unit.spec())
        except Unsupported as reason:
            raise Unsupported(f"{name}: {reason}") from None
        _replace(copied, name, wrap(layer, unit.cin, unit.cout, unit.skip, unit.scale_map))
    return copied


def packed_units(network: nn.Module) -> dict[str, PackedUnit]:
    """Name -> unit of every packed unit."""
    return {name: module for name, module in network.named_modules() if isinstance(module, PackedUnit)}


def save(network: nn.Module, path: Path, header: dict[str, object]) -> None:
    """Write a network returned by `pack` to one file. ``header`` names algorithm, backbone, scale and source hash."""
    units = packed_units(network)
    floats = {k: v for k, v in network.state_dict().items() if not any(k.startswith(f"{u}.layer.") for u in units)}
    header = {**header, "chains": chain_records(network)}
    save_packed(path, header, {name: unit.layer for name, unit in units.items()}, floats)


@gate("refused", broken_by="tests/test_gates_header.py::test_a_file_of_another_network_is_refused")
def check_header(path: Path, found: PackedHeader, expected: Mapping[str, object]) -> None:
    """A packed file says what it holds: its algorithm, backbone, scale and the hash of its trained weights must be
    those of the network that it is loaded for, also where every tensor would fit.

    Raises UserError.
    """
    for name in ("algorithm", "backbone", "scale", "weights_sha256"):
        if (got := getattr(found, name)) != (wanted := expected.get(name)):
            raise UserError(
                f"{path} belongs to another network: {name.replace('_', ' ')} is {_short(got)}, expected "
                f"{_short(wanted)}. Give the file that was packed from this network, or pack it again."
            )


def load_into(network: nn.Module, path: Path, header: Mapping[str, object]) -> nn.Module:
    """Turn a freshly built network of the same algorithm, backbone and scale into the packed network in ``path``.

    ``header`` as in `save`: what the file must be of. Returns a new module. Raises UserError when the file is damaged
    or belongs to another network.
    """
    stored, layers, floats = load_packed(path)
    check_header(path, stored, header)
    packed = copy.deepcopy(network).cpu().eval().to(memory_format=torch.channels_last)
    drop_idle(packed, floats)
    units = dict(deployable_units(packed))
    if units.keys() != layers.keys():
        odd = sorted(units.keys() ^ layers.keys())[0]
        raise UserError(
            f"{path} belongs to another network: layer {odd} is on one side only. Check algorithm and backbone."
        )
    for name, unit in units.items():
        _replace(packed, name, PackedUnit(layers[name], unit.cin, unit.cout, unit.skip, unit.scale_map))
    missing, unexpected = packed.load_state_dict(floats, strict=False)
    missing = [k for k in missing if not any(k.startswith(f"{u}.layer.") for u in units)]
    if missing or unexpected:
        raise UserError(f"{path} belongs to another network: tensor {(missing + unexpected)[0]} is on one side only.")
    _work_in_place(packed)
    join_chains(packed)
    if stored.chains is not None and stored.chains != (found := chain_records(packed)):
        raise UserError(
            f"{path} belongs to another network: its chains are {_named(stored.chains)}, the network's {_named(found)}."
        )
    return packed


def chain_records(network: nn.Module) -> tuple[ChainRecord, ...]:
    """The chains of a packed network, as its file tells them."""
    return tuple(chain.record for chain in chains_of(network).values())


def _named(chains: tuple[ChainRecord, ...]) -> str:
    return ", ".join(f"{chain.steps[0].layer} to {chain.steps[-1].layer}" for chain in chains) or "none"


def _work_in_place(network: nn.Module) -> None:
    """Activations write over their input where a layer has just made it for them: half the memory traffic."""
    for chain in network.modules():
        if isinstance(chain, nn.Sequential):
            for before, after in itertools.pairwise(chain):
                fresh = isinstance(before, nn.Conv2d | nn.PixelShuffle | PackedUnit)
                if fresh and isinstance(after, nn.LeakyReLU | nn.ReLU):
                    after.inplace = True


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:12]


def _replace(root: nn.Module, name: str, new: nn.Module) -> None:
    parent_name, _, child = name.rpartition(".")
    old = root.get_submodule(name)
    if hasattr(old, "bench_tag"):
        new.bench_tag = old.bench_tag
    setattr(root.get_submodule(parent_name), child, new)
