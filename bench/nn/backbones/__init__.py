"""Backbones, each written once in four parts and free of any method's name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import nn

from bench.contract import Unsupported
from bench.contract.backbones import BACKBONES
from bench.contract.importing import import_file


def build_backbone(algorithm: Any, backbone: str, scale: int) -> nn.Module:
    """The network of ``algorithm`` (a `bench.nn.algorithm.Algorithm`) on ``backbone``; scale 1 does not enlarge.

    Raises Unsupported for a scale the backbone does not have.
    """
    entry = BACKBONES[backbone]
    if scale not in (1, *entry.scales):
        raise Unsupported(f"{entry.title} has no x{scale}; it has: {', '.join(f'x{s}' for s in entry.scales)}")
    own = entry.module.endswith(".py")
    module = import_file(Path(entry.module)) if own else importlib.import_module(entry.module)
    return getattr(module, entry.function)(algorithm, scale, **entry.options)
