from __future__ import annotations

from torch import nn

from algorithms.irnet import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.binarizers import ShiftScaledSign
from bench.nn.blocks import BoundedBlock, fit_bounds
from bench.nn.estimators import Tanh
from bench.nn.quantizers import Sign
from bench.nn.unit import Unit, skip_for


class IRNet(Algorithm):
    """Standardised weights with a power of two as scale, and an estimator that sharpens from identity to sign."""

    card = CARD
    backbones = CNNS
    block_shortcut = False

    def __init__(self, t_first: float = 1e-3, t_last: float = 10.0):
        self.t_first, self.t_last = t_first, t_last

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=ShiftScaledSign(Tanh(self.t_first)), act=Sign(Tanh(self.t_first)), norm=nn.BatchNorm2d(cout),
            skip=skip_for(cin, cout, place),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        return BoundedBlock(self, channels, res_scale, attention)

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        return network if self.as_printed else fit_bounds(network, backbone)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """t runs from its first to its last value at a constant rate of log t."""
        t = self.t_first * (self.t_last / self.t_first) ** progress
        for unit in parts_of(network, Unit):
            unit.quantize_weight.estimator.t = unit.quantize_act.estimator.t = t
