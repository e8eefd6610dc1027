"""The backbones by name. No network code here, so that listing and planning stay quick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Backbone:
    """What is known about a backbone before its module is imported."""

    key: str
    title: str
    module: str
    """Module that holds the network."""
    family: Literal["cnn", "transformer"] = "cnn"
    scales: tuple[int, ...] = (2, 3, 4)


BACKBONES: dict[str, Backbone] = {
    backbone.key: backbone
    for backbone in (Backbone("srresnet", "SRResNet (MSRResNet)", "bench.nn.backbones.srresnet"),)
}
