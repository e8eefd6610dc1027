"""From a name to a network: seeded initialisation, weights files, and their hashes."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.contract import UserError
from bench.contract.backbones import BACKBONES
from bench.contract.text import printable
from bench.layer.idle import drop_idle
from bench.nn.algorithm import Algorithm
from bench.nn.naming import OWN, Fit, Naming, fit
from bench.nn.weight_files import read_weights


def build_network(algorithm: Algorithm, backbone: str, scale: int, seed: int = 0) -> nn.Module:
    """A network in training mode with weights drawn from ``seed`` alone; the global generator is left untouched.

    Raises Unsupported when the method does not fit the backbone or the scale.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return algorithm.build(backbone, scale)


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class Misfit(UserError):
    """Weights of another network."""


def namings_of(algorithm: Algorithm, backbone: str) -> tuple[Naming, ...]:
    """The public names that weights of ``algorithm`` on ``backbone`` may come in."""
    module = importlib.import_module(BACKBONES[backbone].module) if backbone in BACKBONES else None
    return (*algorithm.namings.get(backbone, ()), *getattr(module, "NAMINGS", ()))


def load_weights(network: nn.Module, path: Path, namings: Iterable[Naming] = ()) -> Fit:
    """Load a file of weights (see `bench.nn.weight_files`) into ``network``, in its own names or in one of ``namings``.

    Raises UserError for a missing or unreadable file, a pickle that holds code, NaN; `Misfit` for tensors of another
    architecture (the first mismatches are named with the expected and the actual shape). A file may leave out what
    does not run (`bench.layer.idle`); the network then loses it too.
    """
    found = read_weights(path)
    namings = tuple(namings)
    tables = (found.tensors, *found.longer)
    fitted = min((fit(network.state_dict(), table, namings) for table in tables), key=lambda one: len(one.problems))
    if fitted.problems and fitted.naming is OWN:
        drop_idle(network, found.tensors)
        fitted = fit(network.state_dict(), found.tensors)
    if fitted.problems:
        raise Misfit(misfit(path, fitted))
    network.load_state_dict(fitted.state)
    return fitted


def misfit(path: Path, fitted: Fit) -> str:
    """What does not fit, in sentences."""
    more = f"\n  and {len(fitted.problems) - 5} more" if len(fitted.problems) > 5 else ""
    read = f", read in the names of {fitted.naming.title}" if fitted.naming is not OWN else ""
    return (
        f"{path} holds weights of another network{read}:\n  "
        + "\n  ".join(printable(problem) for problem in fitted.problems[:5])
        + more
        + "\nCheck the algorithm, backbone and scale that the file was trained for; "
        + f"see what it is: run_bench.py weights {path}"
    )
