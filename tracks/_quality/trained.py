"""The network that a cell scores, or the refusal to score random weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench.contract import Cell, Context, Unsupported
from bench.contract.weight_labels import seed_of
from bench.nn.label import check_label, smooth_image
from bench.nn.weights import NONE_NEEDED, prepare_network

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode, and what is to be said about its weights."""

    network: nn.Module
    sha256: str | None
    label: str
    """As in `bench.contract.weight_labels`, or ``none needed`` or ``untrained``"""
    name: str
    """Of the method's class, for messages"""

    @property
    def flags(self) -> list[str]:
        """Whose weights they are and what they cost is told with every number."""
        return [] if self.label == NONE_NEEDED else [self.label]


def trained_network(cell: Cell, context: Context) -> Trained:
    """Build the cell's network with the user's weights, else the reference weights.

    Raises:
        Unsupported: the algorithm does not fit the backbone or the scale; there are no weights and untrained networks
            were not asked for, since random weights say nothing about a method; there are reference weights of other
            seeds only, since the same weights under two seeds would look like a spread of zero; or the network does not
            keep its label.
        UserError: a file does not fit.
    """
    seed = context.settings.seed
    network, sha256, label = prepare_network(context.load_algorithm(cell.algo), cell, context.settings)
    if label is None and not context.settings.allow_untrained:
        raise Unsupported("no trained weights (run_bench.py train, --weights KEY=FILE, or --allow-untrained)")
    if label is not None and seed_of(label) not in (None, seed):
        raise Unsupported(f"no reference weights of seed {seed}, only of seed {seed_of(label)}")
    _check_label_once(context, cell, network, sha256)
    name = type(context.load_algorithm(cell.algo)).__name__
    return Trained(network, sha256, label or UNTRAINED, name)


_kept: set[tuple[str, str, str, str | None]] = set()
"""(algorithm, backbone, level, hash of the weights) whose label was checked in this process"""


def _check_label_once(context: Context, cell: Cell, network: nn.Module, sha256: str | None) -> None:
    key = (cell.algo, cell.backbone, cell.level, sha256)
    if key not in _kept:
        check_label(context.load_algorithm(cell.algo).card, network, smooth_image())
        _kept.add(key)
