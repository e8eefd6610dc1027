"""The backbones by name. No network code here, so that listing and planning stay quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
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
    options: Mapping[str, float] = field(default_factory=dict)
    """Further arguments of the module's ``build(algorithm, scale, ...)``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


BACKBONES: dict[str, Backbone] = {
    backbone.key: backbone
    for backbone in (
        Backbone("srresnet", "SRResNet (MSRResNet)", "bench.nn.backbones.srresnet"),
        Backbone("edsr", "EDSR baseline", "bench.nn.backbones.edsr"),
        Backbone(
            "edsr_large",
            "EDSR",
            "bench.nn.backbones.edsr",
            options={"channels": 256, "blocks": 32, "res_scale": 0.1},
        ),
        Backbone("rdn", "RDN", "bench.nn.backbones.rdn"),
        Backbone("rcan", "RCAN", "bench.nn.backbones.rcan"),
        Backbone("swinir_s", "SwinIR-S", "bench.nn.backbones.swinir_s", family="transformer"),
    )
}
