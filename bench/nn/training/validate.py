"""Validation: mean PSNR of a network over a few pictures, under the evaluation protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from bench.sr.datasets import Pair
from bench.sr.metrics import Reference
from bench.sr.protocol import SR_Y_V1
from bench.sr.resize import resize


class Validation:
    """Pictures prepared once for many scorings."""

    def __init__(self, pairs: Sequence[Pair], scale: int) -> None:
        self.pairs, self.scale = pairs, scale
        self._references = [Reference(pair.hr, scale) for pair in pairs]

    def psnr(self, network: nn.Module) -> float:
        """Mean luma PSNR in dB. A picture with NaN or infinity in it counts as black.

        The network is run in evaluation mode and left in the mode it was in.
        """
        was_training = network.training
        network.eval()
        device = next(network.parameters()).device
        scores = []
        with torch.no_grad():
            for pair, reference in zip(self.pairs, self._references, strict=True):
                image = torch.from_numpy(np.ascontiguousarray(pair.lr)).to(device).permute(2, 0, 1)[None].float() / 255
                output = network(image)[0].permute(1, 2, 0).float().cpu().numpy()
                scores.append(reference.score(SR_Y_V1.quantize(np.where(np.isfinite(output), output, 0.0))).psnr_y)
        network.train(was_training)
        return float(np.mean(scores))

    def bicubic(self) -> float:
        """Mean luma PSNR in dB of bicubic interpolation on the same pictures."""
        scores = zip(self.pairs, self._references, strict=True)
        return float(np.mean([ref.score(resize(pair.lr, self.scale)).psnr_y for pair, ref in scores]))
