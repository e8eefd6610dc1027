"""AdaBin's convolution: weights and inputs of two free values each, on signs underneath."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.layer.spec import LayerSpec, SignInput
from bench.nn.estimators import Estimator, Tanh, poly, sign
from bench.nn.quantizers import ActQuantizer, Levels, QuantizedInput, WeightQuantizer
from bench.nn.unit import Unit


class Maxout(nn.Module):
    """positive_c * max(x, 0) + negative_c * min(x, 0), slopes 1 and 1/4 at first."""

    def __init__(self, channels: int):
        super().__init__()
        self.positive = nn.Parameter(torch.ones(channels, 1, 1))
        self.negative = nn.Parameter(torch.full((channels, 1, 1), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return self.positive * F.relu(x) - self.negative * F.relu(-x)


class CenteredSign(WeightQuantizer):
    """s_o sign((W_o - m_o) / s_o) + m_o, mean m_o and population deviation s_o of a filter, both in the gradient."""

    bases = 2

    def __init__(self, estimator: Estimator):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        signs, spread, mean = self._parts(weight)
        return signs * spread + mean

    @torch.no_grad()
    def export(self, weight: Tensor) -> Levels:
        signs, spread, mean = self._parts(weight)
        planes = torch.stack([signs, torch.ones_like(signs)]).to(torch.int8)
        return Levels(planes, torch.stack([spread, mean]).flatten(1).float())

    def _parts(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
        spread = variance.sqrt()
        return sign((weight - mean) / spread, self.estimator), spread, mean


class ScaledSign(ActQuantizer):
    """d * sign(z / d), the distance d learned once a layer, 1 at first."""

    def __init__(self):
        super().__init__()
        self.distance = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.distance * sign(x / self.distance, poly)

    @torch.no_grad()
    def export(self, channels: int) -> QuantizedInput:
        # A negative distance turns the comparison round: z <= 0, so not z >= the float above 0.
        negative = bool(self.distance < 0)
        threshold = torch.nextafter(torch.zeros(channels), torch.full((channels,), float(negative)))
        return QuantizedInput(SignInput(threshold, torch.full((channels,), negative)), float(self.distance))


class AdaptiveUnit(nn.Module):
    """Maxout(x + BN(conv)), conv of weights s_o sign + m_o with inputs d (sign((x - c) / d) + c), zeros outside.

    The convolution with signs is a `Unit` of its own, which packs; the constant d * c on every input adds, to each
    pixel, the sum of those weights whose inputs lie inside the image. The centre c is learned once a layer, 0 at first.
    (N, Ci, H, W) -> (N, Co, H, W).
    """

    def __init__(self, cin: int, cout: int, kernel: int):
        super().__init__()
        self.center = nn.Parameter(torch.zeros(1))
        self.unit = Unit(cin, cout, kernel, weight=CenteredSign(Tanh()), act=ScaledSign())
        self.norm = nn.BatchNorm2d(cout)
        self.bend = Maxout(cout)
        self.shortcut = cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.unit(x - self.center) + self.center * inside_sums(self.taps(), *x.shape[-2:]))
        return self.bend(y + x if self.shortcut else y)

    def taps(self) -> Tensor:
        """d times the weights, summed over input channels: (Co, kh, kw)."""
        if isinstance(self.unit, Unit) and (self.training or torch.is_grad_enabled()):
            weight = self.unit.quantize_weight(self.unit.weight)
            return self.unit.quantize_act.distance * weight.sum(1)
        spec: LayerSpec = self.unit.spec() if isinstance(self.unit, Unit) else self.unit.layer.spec
        return (spec.epilogue.scale[:, :, None, None] * spec.weight.sum(2)).sum(0)


def inside_sums(taps: Tensor, height: int, width: int) -> Tensor:
    """For each pixel the sum of the taps that read inside the image: (Co, kh, kw) -> (Co, height, width).

    Only pixels near the border differ, so the sums of an image no larger than the kernel are stretched to the size.
    """
    h, w = min(height, taps.shape[1]), min(width, taps.shape[2])
    rows, columns = _inside(h, taps.shape[1], taps), _inside(w, taps.shape[2], taps)
    sums = (taps[:, None, None] * rows[:, None, :, None] * columns[:, None, :]).sum((-2, -1))
    return sums[:, _stretched(height, h, taps)][:, :, _stretched(width, w, taps)]


def _inside(length: int, reach: int, like: Tensor) -> Tensor:
    """1 where a tap reads inside, else 0: (length, reach)."""
    at = torch.arange(length, device=like.device)[:, None] + torch.arange(reach, device=like.device) - reach // 2
    return ((at >= 0) & (at < length)).to(like.dtype)


def _stretched(length: int, kept: int, like: Tensor) -> Tensor:
    """Which of ``kept`` positions each of ``length`` is like: both ends as they are, all between as the middle."""
    at, end = torch.arange(length, device=like.device), kept // 2
    return torch.where(at < end, at, torch.where(at >= length - end, at - length + kept, end))
