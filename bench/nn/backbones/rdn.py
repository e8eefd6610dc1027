"""RDN (Zhang et al., CVPR 2018), configuration B: 16 residual dense blocks of 8 convolutions, growth 64.

22,123,395 parameters at x2, 22,271,107 at x4. Images in 0..255 without mean subtraction, as in the PyTorch code that
PAMS builds on. Everything between the two shallow convolutions and the upsampler is body, global fusion included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.nn.algorithm import Algorithm
from bench.nn.backbones.edsr import RANGE, upsampler
from bench.nn.naming import Naming, Tensors
from bench.nn.network import Network


def build(
    algorithm: Algorithm, scale: int, channels: int = 64, blocks: int = 16, convs: int = 8, growth: int = 64
) -> Network:
    return Network(
        head=algorithm.layer("head", 3, channels, 3),
        body=DenseBody(algorithm, channels, blocks, convs, growth),
        upsampler=upsampler(algorithm, scale, channels),
        tail=algorithm.layer("tail", channels, 3, 3),
        scale=scale,
        image_range=max(RANGE, algorithm.image_range(channels)),
    )


class DenseBody(nn.Module):
    """The second shallow convolution, the dense blocks, and the fusion of all their outputs, plus the input."""

    def __init__(self, algorithm: Algorithm, channels: int, blocks: int, convs: int, growth: int):
        super().__init__()
        self.shallow = algorithm.layer("head", channels, channels, 3)
        self.blocks = nn.ModuleList(DenseBlock(algorithm, channels, convs, growth) for _ in range(blocks))
        self.fusion = nn.Sequential(
            algorithm.layer("body", blocks * channels, channels, 1), algorithm.layer("body", channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        y, outputs = self.shallow(x), []
        for block in self.blocks:
            y = block(y)
            outputs.append(y)
        return x + self.fusion(torch.cat(outputs, dim=1))


class DenseBlock(nn.Module):
    """Each convolution sees the block's input and all outputs before it; a 1x1 convolution fuses them."""

    def __init__(self, algorithm: Algorithm, channels: int, convs: int, growth: int):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(algorithm.layer("body", channels + i * growth, growth, 3), algorithm.nonlinearity(growth))
            for i in range(convs)
        )
        self.fusion = algorithm.layer("body", channels + convs * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for conv in self.convs:
            features = torch.cat((features, conv(features)), dim=1)
        return x + self.fusion(features)


def _from_unit_range(theirs: Tensors) -> dict[str, Tensor]:
    """A network for images in 0..1 as one for 0..255, by its first and its last convolution."""
    return {
        name: value / RANGE if name == "sfe1.weight" else value * RANGE if name.startswith("output.") else value
        for name, value in theirs.items()
    }


EDSR_PYTORCH = (
    ("head", "SFENet1"),
    ("body.shallow", "SFENet2"),
    ("body.blocks.{i}.convs.{j}.0", "RDBs.{i}.convs.{j}.conv.0"),
    ("body.blocks.{i}.fusion", "RDBs.{i}.LFF"),
    ("body.fusion.{i}", "GFF.{i}"),
    ("upsampler.0.0", "UPNet.0"),
)
YJN870 = (
    ("head", "sfe1"),
    ("body.shallow", "sfe2"),
    ("body.blocks.{i}.convs.{j}.0", "rdbs.{i}.layers.{j}.conv"),
    ("body.blocks.{i}.fusion", "rdbs.{i}.lff"),
    ("body.fusion.{i}", "gff.{i}"),
    ("upsampler.0.0", "upscale.0"),
    ("upsampler.1.0", "upscale.2"),
    ("tail", "output"),
)
NAMINGS = (
    Naming("EDSR-PyTorch, x2 or x3", (*EDSR_PYTORCH, ("tail", "UPNet.2"))),
    Naming("EDSR-PyTorch, x4", (*EDSR_PYTORCH, ("upsampler.1.0", "UPNet.2"), ("tail", "UPNet.4"))),
    Naming("RDN-pytorch (yjn870)", YJN870, convert=_from_unit_range),
)
