"""The network that a cell scores: the user's weights, the algorithm's reference weights, or none on request."""

from __future__ import annotations

import hashlib
import inspect
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from bench.nn.build import build_network, hash_tensors, load_weights
from bench.nouns import Cell, Context, UserError

INDEX = "weights.toml"
"""Beside an algorithm's adapter: its reference weights, one table ``[[weights]]`` a file."""


@dataclass(frozen=True)
class Reference:
    """One entry of an algorithm's `INDEX`."""

    backbone: str
    scale: int
    file: str
    """Path relative to the index"""
    sha256: str
    """Of the file"""
    label: str
    """How it was trained, as it is to be called in tables, e.g. ``reference-6k``"""
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """A network ready to score, and what is to be said about its weights."""

    network: nn.Module
    weights_sha256: str | None
    label: str
    """``user file``, the reference's label, ``untrained``, or empty for what has no weights"""

    @property
    def flags(self) -> list[str]:
        return [self.label] if self.label and self.label != "user file" else []


def trained_network(cell: Cell, context: Context) -> Trained:
    """Build the cell's network and give it weights.

    Raises:
        UserError: there are no weights and untrained networks were not asked for, or the weights do not fit.
        Unsupported: the algorithm does not fit the backbone or the scale.
    """
    settings = context.settings
    algorithm = context.load_algorithm(cell.algo)
    network = build_network(algorithm, cell.backbone, cell.scale, settings.seed)
    if not any(True for _ in network.parameters()):
        return Trained(network, None, "")
    if cell.algo in settings.weights:
        label = "user file"
        load_weights(network, settings.weights[cell.algo])
    elif (reference := _reference(algorithm, cell, settings.seed)) is not None:
        label = reference[0].label
        load_weights(network, reference[1])
    elif settings.allow_untrained:
        label = "untrained"
    else:
        raise UserError(
            f"{cell.algo} on {cell.backbone} x{cell.scale} has no trained weights, and random ones say nothing about a "
            f"method. Train them: run_bench.py train --algos {cell.algo} --backbone {cell.backbone} --scale "
            f"{cell.scale}; or give a file: --weights {cell.algo}=FILE.safetensors; or score it untrained: "
            "--allow-untrained."
        )
    return Trained(network, hash_tensors(network.state_dict()), label)


def _reference(algorithm: Any, cell: Cell, seed: int) -> tuple[Reference, Path] | None:
    """The algorithm's own weights for the cell, their file verified; None when it has none."""
    folder = Path(inspect.getfile(type(algorithm))).parent
    index = folder / INDEX
    if not index.is_file():
        return None
    for entry in _read(index):
        if (entry.backbone, entry.scale, entry.seed) == (cell.backbone, cell.scale, seed):
            file = folder / entry.file
            if not file.is_file():
                raise UserError(f"{index} names {entry.file}, which is not there. Restore it: git checkout {file}.")
            if hashlib.sha256(file.read_bytes()).hexdigest() != entry.sha256:
                raise UserError(f"{file} is not the file that {index} describes: its SHA-256 differs. Restore both.")
            return entry, file
    return None


def _read(index: Path) -> list[Reference]:
    try:
        rows = tomllib.loads(index.read_text(encoding="utf-8")).get("weights", [])
        return [Reference(**row) for row in rows]
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        names = ", ".join(field.name for field in fields(Reference))
        raise UserError(f"{index}: {error}. Expected tables [[weights]] with {names}.") from error
