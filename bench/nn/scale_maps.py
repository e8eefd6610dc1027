"""One factor per output pixel, multiplied onto a unit's output: from the input (N, C, H, W) to (N, 1, H, W)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MeanFilter(nn.Module):
    """XNOR-Net's K: mean |x| over channels, then over the convolution's window, zeros outside the image.

    A constant for the gradient (Rastegari et al., ECCV 2016, section 3.2). With ``per_image`` one mean |x| stands for
    the whole image, as in BiBench's code.
    """

    def __init__(self, kernel: int, per_image: bool = False):
        super().__init__()
        self.kernel, self.per_image = kernel, per_image

    def forward(self, x: Tensor) -> Tensor:
        magnitude = x.detach().abs().mean(1, keepdim=True)
        if self.per_image:
            return magnitude.mean((2, 3), keepdim=True).expand_as(magnitude).contiguous()
        return F.avg_pool2d(magnitude, self.kernel, stride=1, padding=self.kernel // 2)


class PositionScale(nn.Module):
    """row[y] * column[x], learned, initially 1: XNOR-Net++'s rank-1 spatial scale (Bulat et al., BMVC 2019).

    Tied to absolute positions: pixels beyond the first ``positions`` rows and columns were never trained on and keep
    the initial factor 1.
    """

    def __init__(self, positions: int):
        super().__init__()
        self.row = nn.Parameter(torch.ones(positions))
        self.column = nn.Parameter(torch.ones(positions))

    def forward(self, x: Tensor) -> Tensor:
        row, column = _fit(self.row, x.shape[2]), _fit(self.column, x.shape[3])
        return (row[:, None] * column).expand(len(x), 1, -1, -1)


def _fit(factors: Tensor, length: int) -> Tensor:
    return F.pad(factors[:length], (0, max(0, length - len(factors))), value=1.0)
