"""What a network needs of its latent weights once it is trained: only what its quantizers read off them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.nn.quantizers import WeightQuantizer
from bench.nn.unit import Unit

TOLERANCE = 1e-6
"""Of a channel's largest quantized value: the rounding of a mean over its weights"""


def forget_latents(network: nn.Module) -> None:
    """Replace latent weights by the fewest values that quantize to the same weights, in place.

    A quantized layer keeps its latents where neither the means of the weights that share a level nor the levels
    themselves do (a scale from the standard deviation, for one). The network cannot be trained further from here.
    """
    for unit in network.modules():
        if isinstance(unit, Unit):
            with torch.no_grad():
                unit.weight.copy_(fewest_values(unit.weight, unit.quantize_weight))


def fewest_values(latent: Tensor, quantize: WeightQuantizer) -> Tensor:
    """Weights (Co, Ci, kh, kw) with few values a channel, for which ``quantize`` gives what it gives for ``latent``.

    Signs and their scales, mean |W| of a channel or a layer, of any number of bases, follow from the means by level;
    uniform levels, whose range is a learned number or the largest weight, from themselves.
    """
    expected = quantize(latent)
    largest = expected.abs().flatten(1).amax(1).clamp_min(torch.finfo(torch.float32).tiny).view(-1, 1, 1, 1)
    for candidate in (_means(latent, expected), expected.clone()):
        got = quantize(candidate)
        if torch.equal(got >= 0, expected >= 0) and ((got - expected).abs() <= TOLERANCE * largest).all():
            return candidate
    return latent


def _means(latent: Tensor, levels: Tensor) -> Tensor:
    """Each weight replaced by the mean of those in its output channel that have its level."""
    means = torch.empty_like(latent)
    for row, level, mean in zip(latent.flatten(1), levels.flatten(1), means.flatten(1), strict=True):
        _, where, count = level.unique(return_inverse=True, return_counts=True)
        mean.copy_((torch.zeros(len(count), dtype=torch.float64).index_add_(0, where, row.double()) / count)[where])
    return means
