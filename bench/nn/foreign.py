"""A trained network of somebody else's as a contestant: its module as it is, with what pictures it wants."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from bench.contract import Unsupported
from bench.nn.algorithm import Algorithm, Tag, tag
from bench.nn.naming import Naming
from bench.nn.network import Network

NONE = "none"
"""Backbone of a cell whose method is a whole network"""


class Foreign(Algorithm):
    """Base of classes that wrap a network which is none of this project's. Subclasses give `card` and `network`.

    It is measured for accuracy, robustness, complexity and latency, with weights from ``--weights KEY=FILE``, in its
    own names. Everything in it counts as 32 bit, but for layers that carry a `bench.nn.algorithm.Tag` of fewer bits;
    such a claim is checked on the values that reach the layer, and a card of fewer bits needs one.
    """

    backbones: ClassVar[tuple[str, ...]] = (NONE,)
    scales: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """Upscaling factors that `network` has"""
    colours: ClassVar[float] = 1.0
    """The network's images lie between 0 and this: 1, or 255"""
    mean: ClassVar[tuple[float, float, float] | None] = None
    """RGB mean in [0, 1] that is subtracted first and added last, where the network does not do so itself"""
    multiple: ClassVar[int] = 1
    """Sides of its input are multiples of this; pictures are padded at the right and the bottom, and cut again."""
    namings: ClassVar = {NONE: (Naming("its own", (("body.{name}", "{name}"),)),)}

    def network(self, scale: int) -> nn.Module:
        """The module, (N, 3, H, W) RGB -> (N, 3, scale * H, scale * W), both in its own range of colours."""
        raise NotImplementedError(f"{type(self).__name__} must define network(self, scale)")

    def build(self, backbone: str, scale: int) -> nn.Module:
        if scale not in self.scales:
            raise Unsupported(f"{self.card.name} has no x{scale}; it has: {', '.join(f'x{s}' for s in self.scales)}")
        whole = tag(self.network(scale), Tag("body"))
        empty = (nn.Identity() for _ in range(2))
        return Network(
            nn.Identity(), whole, *empty, scale=scale, image_range=self.colours, mean=self.mean, multiple=self.multiple
        )
