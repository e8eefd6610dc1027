"""A super-resolution network in four named parts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARTS = ("head", "body", "upsampler", "tail")


def stages_of(scale: int) -> tuple[int, ...]:
    """Factors of the upsampler's stages: x4 is x2 twice, and what does not enlarge has none."""
    return {1: (), 4: (2, 2)}.get(scale, (scale,))


class Network(nn.Module):
    """head -> body -> upsampler -> tail, (N, 3, H, W) float32 RGB in [0, 1] -> (N, 3, scale*H, scale*W).

    ``image_range`` multiplies the image at entry and divides the output (BBCU's residual alignment k, EDSR's 255);
    ``mean`` is the RGB mean in [0, 1] subtracted at entry and added at the end; ``interpolate`` adds the bilinearly
    enlarged input to the output; ``multiple`` pads the input at the right and bottom to a multiple of so many pixels,
    by reflection, or by repeating the border where the image is too small to reflect.
    """

    def __init__(
        self,
        head: nn.Module,
        body: nn.Module,
        upsampler: nn.Module,
        tail: nn.Module,
        *,
        scale: int,
        image_range: float = 1.0,
        mean: tuple[float, float, float] | None = None,
        interpolate: bool = False,
        multiple: int = 1,
    ):
        super().__init__()
        self.head, self.body, self.upsampler, self.tail = head, body, upsampler, tail
        self.scale, self.image_range, self.interpolate, self.multiple = scale, image_range, interpolate, multiple
        self.register_buffer("mean", None if mean is None else torch.tensor(mean).view(1, 3, 1, 1), persistent=False)

    def normalize(self, mean: tuple[float, float, float], deviation: float | None = None) -> None:
        """Work on (image - mean) / deviation from now on, both undone at the end, in place of what was set.

        Without a ``deviation`` the image range stays as it is.
        """
        self.mean = torch.tensor(mean).view(1, 3, 1, 1)
        self.image_range = self.image_range if deviation is None else 1 / deviation

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        down, right = -height % self.multiple, -width % self.multiple
        mode = "reflect" if down < height and right < width else "replicate"
        x = F.pad(image, (0, right, 0, down), mode=mode) if down or right else image
        x = x if self.mean is None else x - self.mean
        x = x * self.image_range if self.image_range != 1.0 else x
        y = self.tail(self.upsampler(self.body(self.head(x))))
        if self.interpolate:
            y = y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        y = y / self.image_range if self.image_range != 1.0 else y
        y = y if self.mean is None else y + self.mean
        return y[..., : height * self.scale, : width * self.scale]
