"""PAMS's structured knowledge transfer, which CADyQ uses as well."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.nn.features import recorded


def structured_transfer(
    network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None, weight: float, paper: bool = False
) -> Tensor:
    """255 * L1 + ``weight`` * transfer: images are in [0, 1] here, in 0..255 in PAMS; the terms' ratio is PAMS's.

    Transfer compares where in the picture the bodies of ``network`` and ``teacher`` are active: squared features summed
    over channels, as one vector of length 1 an image. Mean of squared differences as in the official code (Li et al.,
    ECCV 2020); with ``paper``, the distance of the two vectors, mean over the batch. Without a teacher: L1 alone.
    """
    if teacher is None:
        return 255 * F.l1_loss(network(lr), hr)
    with torch.no_grad(), recorded(teacher.body, type(teacher.body)) as targets:
        teacher(lr)
    with recorded(network.body, type(network.body)) as features:
        loss = 255 * F.l1_loss(network(lr), hr)
    difference = _attention(features[-1]) - _attention(targets[-1])  # the last to finish is the body itself
    return loss + weight * (difference.norm(dim=1).mean() if paper else difference.square().mean())


def _attention(features: Tensor) -> Tensor:
    return F.normalize(features.square().mean(1).flatten(1), dim=1)
