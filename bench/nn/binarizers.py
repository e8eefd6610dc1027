"""Further binary quantizers: weights and activations that differ from `bench.nn.quantizers` in values or gradient."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.layer.spec import SignInput
from bench.nn.estimators import Estimator, clip, half_clip, identity, poly, sign
from bench.nn.quantizers import ActQuantizer, Levels, QuantizedInput, WeightQuantizer, channel_mean, scale_values


def standardize(weight: Tensor, eps: float = 0.0) -> Tensor:
    """(W_o - mean) / sqrt(var + eps) per output channel, unbiased variance; the gradient flows through both."""
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True)
    return (weight - mean) / torch.sqrt(variance + eps)


class ScaleAwareSign(WeightQuantizer):
    """alpha_o * sign(W_o) whose gradient keeps the scale: dL/dW = dL/dvalue * (alpha * estimator(W) + own / n).

    With ``own_term`` (XNOR-Net, Rastegari et al., ECCV 2016, section 3.1) each weight also acts through its share 1/n
    of alpha = mean |W_o|; without it this is Bi-Real Net's magnitude-aware gradient (Liu et al., ECCV 2018).
    """

    def __init__(self, estimator: Estimator = clip, own_term: bool = False):
        super().__init__()
        self.estimator, self.own_term = estimator, own_term

    def forward(self, weight: Tensor) -> Tensor:
        alpha, own = channel_mean(weight), self.own_term / weight[0].numel()
        return scale_values(sign(weight, lambda w: alpha * self.estimator(w) + own), alpha)


class LearnedScaleSign(WeightQuantizer):
    """gamma_o * sign(W_o), gamma learned per output channel, initially 1 (XNOR-Net++, Bulat et al., BMVC 2019)."""

    def __init__(self, channels: int, estimator: Estimator = clip):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1, 1))
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        return self.scale * sign(weight, self.estimator)


class RectifiedSign(WeightQuantizer):
    """gamma_o * sign(clamp(W', -q, q)) with W' standardised to deviation 2 sqrt(2) (ReCU, Xu et al., ICCV 2021).

    q = -E|W'| ln(2 - 2 tau), a constant of the layer, is the tau-quantile of a Laplace distribution: dead weights,
    those beyond it, are pulled back to it and receive no gradient; sign passes the gradient unchanged. gamma is learned
    and starts uniform in [0, 1) as in the official code.
    """

    def __init__(self, channels: int, tau: float = 0.85):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(channels, 1, 1, 1))
        self.tau = tau

    def forward(self, weight: Tensor) -> Tensor:
        weight = standardize(weight, 1e-5) * (2 * math.sqrt(2))
        limit = -weight.detach().abs().mean() * math.log(2 - 2 * self.tau)
        return self.scale * sign(torch.clamp(weight, -limit, limit), identity)


class ShiftScaledSign(WeightQuantizer):
    """2^s_o * sign(W'), W' the standardised weights, s_o = round(log2 mean |W'_o|) (IR-Net, Qin et al., CVPR 2020).

    The gradient is multiplied by 2^s and flows through the standardisation.
    """

    def __init__(self, estimator: Estimator):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        weight = standardize(weight)
        return sign(weight, self.estimator) * torch.exp2(channel_mean(weight).log2().round())


class StandardizedSign(WeightQuantizer):
    """alpha_o * sign(W'), W' the standardised weights and alpha_o = mean |W'_o|, a constant for the gradient."""

    def __init__(self, estimator: Estimator = clip):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        weight = standardize(weight)
        return scale_values(sign(weight, self.estimator), channel_mean(weight))


class MultiBaseSign(WeightQuantizer):
    """sum over m of alpha_m * sign(W - mean + u_m * std), u_m evenly spaced in [-1, 1] (ABC-Net, Lin et al. 2017).

    alpha solves the least squares min |W - sum alpha_m B_m|^2, per output channel or (``per_layer``) once a layer, as
    do mean and std. All three are constants for the gradient, which each base passes on unchanged:
    dL/dW = dL/dvalue * sum of alpha_m.
    """

    def __init__(self, bases: int, per_layer: bool = False):
        super().__init__()
        self.bases, self.per_layer = bases, per_layer

    def forward(self, weight: Tensor) -> Tensor:
        signs, alpha = self._fit(weight)
        return (alpha * signs).sum(0)

    def export(self, weight: Tensor) -> Levels:
        with torch.no_grad():
            signs, alpha = self._fit(weight)
        return Levels(signs.to(torch.int8), alpha.expand(-1, weight.shape[0], 1, 1, 1).flatten(1).float())

    def _fit(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Sign planes (M, Co, Ci, kh, kw) and their factors (M, Co or 1, 1, 1, 1)."""
        rows = weight.reshape(1 if self.per_layer else len(weight), -1)
        std, mean = torch.std_mean(rows.detach(), dim=1, keepdim=True, correction=0)
        u = torch.linspace(-1, 1, self.bases, dtype=weight.dtype, device=weight.device).view(-1, 1, 1)
        signs = sign(rows - mean + u * std, identity)
        plane, target = signs.detach(), rows.detach()
        gram = (plane[:, None] * plane).mean(-1).permute(2, 0, 1)
        ridge = 1e-6 * torch.eye(self.bases, dtype=weight.dtype, device=weight.device)  # two planes may coincide
        alpha = torch.linalg.solve(gram + ridge, (plane * target).mean(-1).t())
        return signs.view(-1, *weight.shape), alpha.t()[:, :, None, None, None]


class ImageScaledSign(ActQuantizer):
    """sign(x / sqrt(var + 1e-5)), variance over each image: plain sign in value, scaled in gradient (ReCU's code)."""

    def __init__(self, estimator: Estimator = poly):
        super().__init__()
        self.estimator = estimator

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x / torch.sqrt(x.var(dim=(1, 2, 3), keepdim=True) + 1e-5)
        return sign(x, self.estimator)


class HalfSign(ActQuantizer):
    """+1 where clip(x, 0, 1) >= 1/2, else -1; the gradient passes where 0 <= x <= 1 (ABC-Net's activation base)."""

    def forward(self, x: Tensor) -> Tensor:
        return sign(x - 0.5, half_clip)

    def export(self, channels: int) -> QuantizedInput:
        return QuantizedInput(SignInput(torch.full((channels,), 0.5)))


class NoiseBranch(nn.Module):
    """relu(t W1) W2 + 0.1 sin(t) on vectors t (..., width), zero-mean weights: FDA-BNN's noise adaptation (eq. 13)."""

    training_only = True

    def __init__(self, width: int):
        super().__init__()
        hidden = width // 64 or max(1, width // 4)  # the official code falls back where a 64th is nothing
        self.down, self.up = nn.Parameter(torch.empty(hidden, width)), nn.Parameter(torch.empty(width, hidden))
        for parameter in (self.down, self.up):
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))

    def forward(self, t: Tensor) -> Tensor:
        return F.linear(F.relu(F.linear(t, self.down)), self.up) + 0.1 * torch.sin(t)


class NoisySign(WeightQuantizer):
    """alpha_o * (sign(W_o) + strength * noise(W_o)) in training, alpha_o * sign(W_o) in evaluation (FDA-BNN, eq. 14).

    alpha_o = mean |W_o| is a constant, by which the gradient is multiplied (BiBench's code). The noise branch sees an
    output channel's weights as one vector and fades with ``strength``; a network with any left would not be binary.
    """

    def __init__(self, weights_per_channel: int, estimator: Estimator, strength: float = 0.1):
        super().__init__()
        self.noise = NoiseBranch(weights_per_channel)
        self.estimator, self.strength = estimator, strength

    def forward(self, weight: Tensor) -> Tensor:
        values = sign(weight, self.estimator)
        if self.training and self.strength > 0:
            values = values + self.strength * self.noise(weight.flatten(1)).view_as(weight)
        return values * channel_mean(weight)


class NoisyActSign(ActQuantizer):
    """sign(x) + strength * noise(x) in training, sign(x) in evaluation; a pixel's channels are one vector."""

    def __init__(self, channels: int, estimator: Estimator, strength: float = 0.1):
        super().__init__()
        self.noise = NoiseBranch(channels)
        self.estimator, self.strength = estimator, strength

    def forward(self, x: Tensor) -> Tensor:
        values = sign(x, self.estimator)
        if self.training and self.strength > 0:
            values = values + self.strength * self.noise(x.movedim(1, -1)).movedim(-1, 1)
        return values
