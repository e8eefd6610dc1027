from __future__ import annotations

from torch import nn

from algorithms.frb import CARD
from bench.nn.algorithm import Algorithm, Place, Recipe
from bench.nn.estimators import poly
from bench.nn.quantizers import ShiftedSign, TwoBaseSign
from bench.nn.unit import Unit


class FRB(Algorithm):
    """Two binary bases a weight, the second on the residual of the first; both share one binary input."""

    card = CARD
    block_shortcut = False
    recipe = Recipe(300_000, 32, 64, 2e-4, (0.9, 0.999), (250_000,), "paper; the patch is read as low resolution")

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=TwoBaseSign(), act=ShiftedSign(cin, poly), nonlinearity=nn.PReLU(cout), skip="after",
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Identity()
