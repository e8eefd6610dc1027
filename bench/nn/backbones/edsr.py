"""EDSR (Lim et al., CVPRW 2017): no normalisation, a long skip, images in 0..255 about DIV2K's mean.

Baseline: 64 channels, 16 blocks, 1,369,859 / 1,554,499 / 1,517,571 parameters at x2 / x3 / x4; this layout is also the
"SRResNet" of QuantSR. Large: 256 channels, 32 blocks, res_scale 0.1, 40,729,603 parameters at x2, 43,089,923 at x4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from bench.contract import UserError
from bench.nn.algorithm import Algorithm
from bench.nn.naming import Naming, Tensors, within
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


def by_mean_shift(head: str, tail: str) -> Callable[[Tensors], dict[str, Tensor]]:
    """What converts networks of EDSR-PyTorch's kind to images in 0..255: the mean shift stored with them says for which
    range they were trained, and the first and the last convolution (``head``, ``tail``) take up the difference.

    Raises UserError where the mean is another.
    """

    def convert(theirs: Tensors) -> dict[str, Tensor]:
        shift = theirs.get("sub_mean.bias")
        if shift is None:
            return dict(theirs)
        ranges = shift.flatten() / -torch.tensor(MEAN)
        if len(ranges) != 3 or not torch.allclose(ranges, ranges[:1].expand(3), rtol=1e-3):
            raise UserError(
                f"its mean shift sub_mean.bias is {[round(float(x), 4) for x in shift]}, which is no multiple of "
                f"DIV2K's mean {MEAN}, so it works on other images than this backbone"
            )
        ratio = float(ranges.mean()) / RANGE
        if abs(ratio - 1) < 1e-3:
            return dict(theirs)
        factors = {f"{head}.weight": ratio, f"{tail}.weight": 1 / ratio, f"{tail}.bias": 1 / ratio}
        return {name: value * factors.get(name, 1) for name, value in theirs.items()}

    return convert


MEAN_SHIFTS = ("sub_mean", "add_mean")
ENDS = (
    ("head", "head.0"),
    ("body.{i}", "body.{i}"),
    ("upsampler.0.0", "tail.0.0"),
    ("upsampler.1.0", "tail.0.2"),
    ("tail", "tail.1"),
)
"""The ends of EDSR-PyTorch's networks, which RCAN's, PAMS's and CADyQ's official code share"""
BASICSR_ENDS = (
    ("head", "conv_first"),
    ("body.{i}", "conv_after_body"),
    ("upsampler.0.0", "upsample.0"),
    ("upsampler.1.0", "upsample.2"),
    ("tail", "conv_last"),
)
NAMINGS = (
    Naming(
        "EDSR-PyTorch",
        (*within("body.{i}", "body.{i}", ("conv1", "body.0"), ("conv2", "body.2")), *ENDS),
        MEAN_SHIFTS,
        by_mean_shift("head.0", "tail.1"),
    ),
    Naming("BasicSR", (("body.{i}.conv1", "body.{i}.conv1"), ("body.{i}.conv2", "body.{i}.conv2"), *BASICSR_ENDS)),
)
