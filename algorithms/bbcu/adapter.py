from __future__ import annotations

from typing import ClassVar

from torch import nn

from algorithms.bbcu import CARDS
from algorithms.bbcu.names import BBCU_L, BBCU_M
from bench.nn.algorithm import CNNS, Algorithm, Place, Recipe
from bench.nn.estimators import clip, poly
from bench.nn.quantizers import ChannelScaledSign, ShiftedSign
from bench.nn.unit import RPReLU, Unit, skip_for


class BBCU(Algorithm):
    """BBCU-L: the body is binary; the activation sits inside the branch, the shortcut after it, no normalisation."""

    card = CARDS[0]
    scope = frozenset({"body", "linear"})
    block_shortcut = False
    start = "fan_in"
    namings: ClassVar = {"srresnet": (BBCU_L,)}
    recipe = Recipe(300_000, 16, 32, 1e-4, (0.9, 0.99), (200_000,), "official x2 configuration")

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        linear = place == "linear"
        return Unit(
            cin, cout, kernel,
            weight=ChannelScaledSign(clip), act=ShiftedSign(cin, poly), bias=linear,
            nonlinearity=None if linear else RPReLU(cout), skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()


class BBCUM(BBCU):
    """BBCU-M: all but the first and the last convolution is binary; ahead of a shuffle the shortcut is repeated."""

    card = CARDS[1]
    backbones = CNNS
    scope = frozenset({"body", "upsample", "conv_hr"})
    namings: ClassVar = {"srresnet": (BBCU_M,)}
    start: ClassVar[dict[Place, str]] = {"body": "fan_in", "upsample": "narrow", "conv_hr": "narrow"}

    def upsample_stage(self, channels: int, factor: int, activation: nn.Module | None) -> nn.Module:
        """The unit's RPReLU takes the place of the activation after the shuffle."""
        return super().upsample_stage(channels, factor, None)
