"""EDSR (Lim et al., CVPRW 2017): no normalisation, a long skip, images in 0..255 about DIV2K's mean.

Baseline: 64 channels, 16 blocks, 1,369,859 / 1,554,499 / 1,517,571 parameters at x2 / x3 / x4; this layout is also the
"SRResNet" of QuantSR. Large: 256 channels, 32 blocks, res_scale 0.1, 40,729,603 parameters at x2, 43,089,923 at x4.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from bench.nn.algorithm import Algorithm
from bench.nn.network import Network, stages_of

MEAN = (0.4488, 0.4371, 0.4040)
"""Mean RGB of DIV2K's training images."""
RANGE = 255.0


def build(algorithm: Algorithm, scale: int, channels: int = 64, blocks: int = 16, res_scale: float = 1.0) -> Network:
    return residual_network(algorithm, scale, channels, (algorithm.block(channels, res_scale) for _ in range(blocks)))


def residual_network(algorithm: Algorithm, scale: int, channels: int, trunk: Iterable[nn.Module]) -> Network:
    """What EDSR and RCAN share: ends, long skip, image range; ``trunk`` is built between the head and what follows."""
    return Network(
        head=algorithm.layer("head", 3, channels, 3),
        body=LongSkip(*trunk, algorithm.layer("after_body", channels, channels, 3)),
        upsampler=upsampler(algorithm, scale, channels),
        tail=algorithm.layer("tail", channels, 3, 3),
        scale=scale,
        image_range=max(RANGE, algorithm.image_range(channels)),
        mean=MEAN,
    )


class LongSkip(nn.Sequential):
    """The chain's output plus its input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def upsampler(algorithm: Algorithm, scale: int, channels: int) -> nn.Module:
    """Convolution and pixel shuffle, no activation; x4 is x2 twice. EDSR, RDN and RCAN share it."""
    return nn.Sequential(*(algorithm.upsample_stage(channels, factor, None) for factor in stages_of(scale)))
