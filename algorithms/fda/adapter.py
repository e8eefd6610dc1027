from __future__ import annotations

import math

from torch import nn

from algorithms.fda import CARD
from bench.nn.algorithm import CNNS, Algorithm, Place, parts_of
from bench.nn.binarizers import NoisyActSign, NoisySign
from bench.nn.estimators import Fourier
from bench.nn.unit import Unit

EPOCHS = 100
"""Steps in which the schedules move; a task's own number in the official code."""


class FDA(Algorithm):
    """Sign differentiates as its truncated Fourier series; a fading noise branch stands in for the missing terms."""

    card = CARD
    backbones = CNNS
    start = "fan_in"

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(
            cin, cout, kernel,
            weight=NoisySign(cin * kernel**2, Fourier()), act=NoisyActSign(cin, Fourier()), norm=nn.BatchNorm2d(cout),
        )  # fmt: skip

    def nonlinearity(self, channels: int) -> nn.Module:
        return nn.Hardtanh()

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """The series grows from n = 9 towards 18, the noise fades from 0.1 to 0 along a cosine, both epoch by epoch."""
        epoch = int(EPOCHS * progress)
        for quantizer in (*parts_of(network, NoisySign), *parts_of(network, NoisyActSign)):
            quantizer.estimator.terms = 9 + 9 * epoch // EPOCHS
            quantizer.strength = 0.05 * (1 + math.cos(math.pi * (epoch + 1) / EPOCHS))
