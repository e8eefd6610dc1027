"""Weight and activation quantizers: values, gradient, and what the packed format needs.

A weight quantizer maps latent weights (Co, Ci, kh, kw) to the values the convolution uses; an activation quantizer
does the same for its input (N, C, H, W). Both are differentiable through a named estimator, and both `export` the
integers behind their values. Write ``forward`` and the rest follows: the default exports read the levels off the
values themselves, and refuse what is not low-bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.spec import SignInput, UniformInput
from bench.nn.estimators import Estimator, clip, poly, sign


@dataclass(frozen=True)
class Levels:
    """Quantized weights as integers: ``value = sum over b of scale[b, co] * integers[b, co]``."""

    integers: Tensor
    """int8 [bases, Co, Ci, kh, kw]"""
    scale: Tensor
    """float32 [bases, Co]"""


class WeightQuantizer(nn.Module):
    """Base of weight quantizers: 1 bit, ``bases`` sign planes unless a subclass says otherwise."""

    bits = 1
    bases = 1

    def forward(self, weight: Tensor) -> Tensor:
        """Latent weights (Co, Ci, kh, kw), float32 -> quantized values of the same shape, differentiable."""
        raise NotImplementedError

    def export(self, weight: Tensor) -> Levels:
        """Integers and scales behind `forward`'s values. Raises Unsupported when they are not ``bases`` signs."""
        with torch.no_grad():
            return sign_planes(self(weight), self.bases)


def sign_planes(values: Tensor, bases: int) -> Levels:
    """Read sign planes off quantized values (Co, Ci, kh, kw) that lie on +-a (one base) or +-a+-b (two).

    Raises Unsupported when an output channel holds other values: the layer is not what its label says.
    """
    magnitude = values.abs()
    high = magnitude.amax(dim=(1, 2, 3))
    first = torch.where(values >= 0, 1, -1).to(torch.int8)
    if bases == 1:
        planes, scale = first[None], high[None]
    elif bases == 2:
        low = magnitude.amin(dim=(1, 2, 3))
        scale = torch.stack([(high + low) / 2, (high - low) / 2])
        outer = torch.where(magnitude >= scale[0].view(-1, 1, 1, 1), 1, -1).to(torch.int8)
        planes = torch.stack([first, first * outer])
    else:
        raise Unsupported(
            f"{bases} bases cannot be read off the values alone; the weight quantizer must define export()"
        )
    rebuilt = (planes * scale[:, :, None, None, None]).sum(0)
    worst = float(((rebuilt - values).abs().amax(dim=(1, 2, 3)) / high.clamp_min(1e-12)).max())
    if worst > 1e-5:
        raise Unsupported(
            f"weights are not {bases} binary base(s): an output channel holds values that differ from "
            f"its {2**bases} levels by {worst:.2g} of its largest"
        )
    return Levels(planes, scale.float())


class PlainSign(WeightQuantizer):
    """sign(W), no scale (BNN, E2FIF)."""

    def __init__(self, estimator: Estimator = clip):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        return sign(weight, self.estimator)


class ChannelScaledSign(WeightQuantizer):
    """alpha_o * sign(W_o), alpha_o = mean |W_o| per output channel, a constant for the gradient.

    dL/dW = dL/dvalue * estimator(W), without the factor alpha (BBCU, ReActNet, Bi-Real code).
    """

    def __init__(self, estimator: Estimator = clip):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        return scale_values(sign(weight, self.estimator), channel_mean(weight))


class LayerScaledSign(WeightQuantizer):
    """alpha * sign(W), alpha = mean |W| of the whole layer; gradient as in `ChannelScaledSign` (DoReFa, 1 bit)."""

    def __init__(self, estimator: Estimator = clip):
        super().__init__()
        self.estimator = estimator

    def forward(self, weight: Tensor) -> Tensor:
        return scale_values(sign(weight, self.estimator), weight.detach().abs().mean())


class TwoBaseSign(WeightQuantizer):
    """FRB's second-order residual binarization: alpha1 * sign(W) + alpha2 * sign(R), R = W - alpha1 * sign(W).

    alpha1 = mean |W|, alpha2 = mean |R| per output channel (or, with ``per_layer``, of the whole layer), constants for
    the gradient; R's derivative with respect to W is taken as 1, so dL/dW = g * (1[|W| <= 1] + 1[|R| <= 1]). The
    paper leaves alpha's axis and both derivatives unstated; this is our reading.
    """

    bases = 2

    def __init__(self, per_layer: bool = False):
        super().__init__()
        self.per_layer = per_layer

    def forward(self, weight: Tensor) -> Tensor:
        alpha1 = self._mean(weight)
        first = sign(weight, clip)
        residual = weight - (alpha1 * first).detach()
        return scale_values(first, alpha1) + scale_values(sign(residual, clip), self._mean(residual))

    def _mean(self, weight: Tensor) -> Tensor:
        return weight.detach().abs().mean() if self.per_layer else channel_mean(weight)


class _ScaleValues(torch.autograd.Function):
    @staticmethod
    def forward(ctx, signs: Tensor, alpha: Tensor) -> Tensor:
        return signs * alpha

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def scale_values(signs: Tensor, alpha: Tensor) -> Tensor:
    """signs * alpha, with the gradient handed to ``signs`` unscaled: the convention of nearly all official code."""
    return _ScaleValues.apply(signs, alpha)


def channel_mean(weight: Tensor) -> Tensor:
    """mean |W_o| per output channel, detached: (Co, 1, 1, 1)."""
    return weight.detach().abs().mean(dim=(1, 2, 3), keepdim=True)


@dataclass(frozen=True)
class QuantizedInput:
    """How the packed layer quantizes its input, and the values behind its integers: step * integer + offset."""

    input: SignInput | UniformInput
    step: float = 1.0
    offset: float = 0.0


class ActQuantizer(nn.Module):
    """Base of activation quantizers: sign with threshold 0 unless a subclass says otherwise."""

    bits = 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 -> quantized values of the same shape, differentiable."""
        raise NotImplementedError

    def export(self, channels: int) -> QuantizedInput:
        """The packed layer's input rule for ``channels`` input channels."""
        return QuantizedInput(SignInput(torch.zeros(channels)))


class Sign(ActQuantizer):
    """sign(x), threshold 0."""

    def __init__(self, estimator: Estimator = clip):
        super().__init__()
        self.estimator = estimator

    def forward(self, x: Tensor) -> Tensor:
        return sign(x, self.estimator)


class ShiftedSign(ActQuantizer):
    """RSign: sign(x + shift), one learned shift per input channel, initially 0 (ReActNet, Liu et al., ECCV 2020)."""

    def __init__(self, channels: int, estimator: Estimator = poly):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.estimator = estimator

    def forward(self, x: Tensor) -> Tensor:
        return sign(x + self.shift, self.estimator)

    def export(self, channels: int) -> QuantizedInput:
        # x + shift >= 0 and x >= -shift agree for every float: an IEEE sum has the sign of the exact sum.
        return QuantizedInput(SignInput(-self.shift.detach().float().flatten()))
