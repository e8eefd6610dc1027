"""Validation: mean PSNR of a network over a few pictures, under the evaluation protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.contract import UserError
from bench.pictures.metrics import psnr
from bench.pictures.pair import Pair
from bench.pictures.protocol import SR_Y_V1
from bench.pictures.resize import resize


class Validation:
    """Pictures prepared once for many scorings."""

    def __init__(self, pairs: Sequence[Pair], scale: int) -> None:
        """Raises UserError for a picture that has nothing left once the border is cut."""
        self.pairs, self.scale = pairs, scale
        for pair in pairs:
            if min(pair.truth.shape[:2]) <= 2 * SR_Y_V1.border_per_scale * scale:
                raise UserError(f"validation picture {pair.name} is too small to score at x{scale}. Leave it out.")
        self._targets = [self._luma(pair.truth) for pair in pairs]

    def psnr(self, network: nn.Module) -> float:
        """Mean luma PSNR in dB. A picture with NaN or infinity in it counts as black.

        The network is run in evaluation mode and left in the mode it was in.
        """
        was_training = network.training
        network.eval()
        device = next(network.parameters()).device
        scores = []
        with torch.no_grad():
            for pair, target in zip(self.pairs, self._targets, strict=True):
                image = (
                    torch.from_numpy(np.ascontiguousarray(pair.given)).to(device).permute(2, 0, 1)[None].float() / 255
                )
                output = network(image)[0].permute(1, 2, 0).float().cpu().numpy()
                image = SR_Y_V1.quantize(np.where(np.isfinite(output), output, np.float32(0)))
                scores.append(psnr(self._luma(image), target))
        network.train(was_training)
        return float(np.mean(scores))

    def bicubic(self) -> float:
        """Mean luma PSNR in dB of bicubic interpolation on the same pictures."""
        enlarged = (self._luma(resize(pair.given, self.scale)) for pair in self.pairs)
        return float(np.mean([psnr(y, target) for y, target in zip(enlarged, self._targets, strict=True)]))

    def _luma(self, rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
        return SR_Y_V1.crop_border(SR_Y_V1.luma(rgb), self.scale)
