from __future__ import annotations

from torch import Tensor, nn

from algorithms.bnnplus import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.estimators import swish
from bench.nn.quantizers import ChannelScaledSign, Sign, channel_mean
from bench.nn.unit import Unit


class BNNPlus(Algorithm):
    """SignSwish as estimator on both sides, and a regulariser that draws latent weights towards +-alpha."""

    card = CARD
    backbones = CNNS
    strength = 1e-7
    """Weight of the regulariser; rises over the training."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(cin, cout, kernel, weight=ChannelScaledSign(swish), act=Sign(swish), norm=nn.BatchNorm2d(cout))

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        weights = [unit.weight for unit in parts_of(network, Unit)]
        distance = sum((w.abs() - channel_mean(w)).abs().sum() for w in weights)
        return super().loss(network, lr, hr) + self.strength * distance

    def on_progress(self, network: nn.Module, progress: float) -> None:
        self.strength = 1e-7 * 10**progress
