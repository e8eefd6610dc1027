from __future__ import annotations

from typing import ClassVar

from torch import nn

from algorithms.e2fif import CARDS, names
from bench.nn.algorithm import CNNS, Algorithm, Place, Recipe, parts_of
from bench.nn.backbones.edsr import LongSkip
from bench.nn.blocks import scale_branches
from bench.nn.estimators import identity, poly
from bench.nn.quantizers import PlainSign, Sign
from bench.nn.unit import Unit, skip_for


class E2FIF(Algorithm):
    """A full-precision path from end to end: every binary convolution has a shortcut, the tail is not binary at all.

    SRResNet gains the method's own long skip and the head's official start.
    """

    card = CARDS[0]
    backbones = CNNS
    block_shortcut = False
    start = "fan_in"
    namings: ClassVar = {"edsr": (names.E2FIF,)}
    recipe = Recipe(
        300_000, 16, 48, 2e-4, (0.9, 0.999), (200_000,), "official script: 300 epochs of 1000; HR patch 192 is its x4"
    )

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=PlainSign(identity), act=Sign(poly), norm=nn.BatchNorm2d(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.LeakyReLU(0.1)

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        """``res_scale`` multiplies every normalised convolution, ahead of its own shortcut.

        The nonlinearity moves into the first unit, behind its shortcut: the same function, one pass when packed.
        """
        block = super().block(channels, 1.0, attention)
        scale_branches(block, res_scale)
        if isinstance(block.conv1, Unit) and block.conv1.skip == "after":
            block.conv1.skip, block.conv1.nonlinearity = "before", block.nonlinearity
            block.nonlinearity = nn.Identity()
        return block

    def layer(self, place: Place, cin: int, cout: int, kernel: int, *, bias: bool = True) -> nn.Module:
        """The convolution ahead of the long skip is dropped."""
        return nn.Identity() if place == "after_body" else super().layer(place, cin, cout, kernel, bias=bias)

    def image_range(self, channels: int) -> float:
        return 255.0

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        head = next(parts_of(network.head, nn.Conv2d))
        channels = head.out_channels
        if backbone == "srresnet":
            head.reset_parameters()
            network.body = LongSkip(*network.body)
        network.upsampler, network.tail = self.ending(channels, scale)
        return network

    def ending(self, channels: int, scale: int) -> tuple[nn.Module, nn.Module]:
        """Upsampler and tail: (N, channels, H, W) -> (N, 3, scale*H, scale*W)."""
        return nn.Identity(), nn.Sequential(self.layer("tail", channels, 3 * scale**2, 3), nn.PixelShuffle(scale))


class E2FIFRepeat(E2FIF):
    """The repeat-shortcut tail: a binary convolution to scale^2 times the channels, in one stage even for x4."""

    card = CARDS[1]
    scope = frozenset({"body", "upsample"})
    namings: ClassVar = {"edsr": (names.REPEAT,)}

    def ending(self, channels: int, scale: int) -> tuple[nn.Module, nn.Module]:
        wide = self.layer("upsample", channels, channels * scale**2, 3)
        return nn.Sequential(wide, nn.PixelShuffle(scale)), self.layer("tail", channels, 3, 3)
