"""MSRResNet, the "SRResNet" of BBCU and FRB: 64 channels, 16 blocks, no normalisation, no long skip.

x2 has 1,367,424 convolution weights and 1,369,859 parameters; x3 1,554,499; x4 1,517,571.
"""

from __future__ import annotations

from torch import nn

from bench.nn.algorithm import Algorithm, tagged
from bench.nn.naming import Naming
from bench.nn.network import Network, stages_of


def build(algorithm: Algorithm, scale: int, channels: int = 64, blocks: int = 16) -> Network:
    def leaky() -> nn.Module:
        return nn.LeakyReLU(0.1)

    stages = stages_of(scale)
    network = Network(
        head=nn.Sequential(algorithm.layer("head", 3, channels, 3), leaky()),
        body=nn.Sequential(*(algorithm.block(channels) for _ in range(blocks))),
        upsampler=nn.Sequential(*(algorithm.upsample_stage(channels, factor, leaky()) for factor in stages)),
        tail=nn.Sequential(
            algorithm.layer("conv_hr", channels, channels, 3), leaky(), algorithm.layer("tail", channels, 3, 3)
        ),
        scale=scale,
        image_range=algorithm.image_range(channels),
        interpolate=True,
    )
    for _, module, claim in tagged(network):
        if claim.full_precision and claim.place != "attention":  # what a method adds starts as the method says
            nn.init.kaiming_normal_(module.weight)
            module.weight.data.mul_(0.1)
            nn.init.zeros_(module.bias)
    return network


ENDS = (
    ("head.0", "conv_first"),
    ("upsampler.0.0", "upconv1"),
    ("upsampler.1.0", "upconv2"),
    ("tail.0", "conv_hr"),
    ("tail.2", "conv_last"),
)
"""The ends of BasicSR's MSRResNet, which BBCU's official code shares"""
NAMINGS = (Naming("BasicSR", (*ENDS, ("body.{i}.conv1", "body.{i}.conv1"), ("body.{i}.conv2", "body.{i}.conv2"))),)
