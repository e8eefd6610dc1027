"""Times a chain of packed layers against PyTorch's float32 convolution: ``python -m bench.packed.microbench``.

A packed layer is all of it: quantize and pack, convolve, scale, bias, RPReLU, shortcut. The float32 side is the bare
convolution with bias, channels_last. Rounds are interleaved (A B C, A B C, ...), figures are medians per layer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor, nn

from bench.packed.kernels import KERNEL_VARIABLE, supported_kernels
from bench.packed.layer import PackedLayer
from bench.packed.spec import Epilogue, LayerSpec, SignInput, UniformInput

BASELINE = "fp32 conv + bias"


def random_spec(channels: int, bases: int, bits: int, generator: torch.Generator) -> LayerSpec:
    """A 3x3 layer of ``channels`` to ``channels`` with random weights and a full epilogue.

    ``bits``: of the weights and of the unsigned inputs; 1 is a binary layer.
    """

    def vector(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    shape = (bases, channels, channels, 3, 3)
    if bits == 1:
        weight = 2 * torch.randint(0, 2, shape, generator=generator) - 1
        rule = SignInput(vector(channels))
    else:
        weight = torch.randint(-(2 ** (bits - 1)), 2 ** (bits - 1), shape, generator=generator)
        rule = UniformInput(bits, 0.1, 0, 2**bits - 1)
    # Scales that keep a chain's values near 1.
    epilogue = Epilogue(
        torch.full((bases, channels), 0.04 / 2 ** (2 * bits)),
        vector(channels),
        pre=vector(channels),
        slope=torch.full((channels,), 0.25),
        post=vector(channels),
        skip="after",
    )
    return LayerSpec(rule, weight.to(torch.int8), epilogue, bits, padding=(1, 1))


def chains(channels: int, length: int, threads: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Name -> what maps an image (N, channels, H, W) through ``length`` layers."""
    generator = torch.Generator().manual_seed(0)
    convs = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(length)]
    found: dict[str, Callable[[Tensor], Tensor]] = {
        BASELINE: nn.Sequential(*convs).to(memory_format=torch.channels_last).eval()
    }

    def packed(layers: list[PackedLayer]) -> Callable[[Tensor], Tensor]:
        def run(x: Tensor) -> Tensor:
            for layer in layers:
                x = layer(x, x)
            return x

        return run

    for kernel in supported_kernels():
        with patch.dict(os.environ, {KERNEL_VARIABLE: kernel}):
            for title, bases, bits in (("1 base", 1, 1), ("2 bases", 2, 1), ("4-bit weights and inputs", 1, 4)):
                specs = [random_spec(channels, bases, bits, generator) for _ in range(length)]
                layers = [PackedLayer(spec, threads) for spec in specs]
                # A kernel without an operation of its own borrows another's: named as what runs.
                found[f"{layers[0].kernel}, {title}"] = packed(layers)
    return found


@torch.inference_mode()
def measure(runs: dict[str, Callable[[Tensor], Tensor]], image: Tensor, rounds: int) -> dict[str, list[float]]:
    """Seconds of every run in every round.

    Each sample follows an untimed pass of the same run: another run's pattern of allocations makes the C library return
    memory to the system, and the first pass after it pays for getting it back.
    """
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run(image)
            start = time.perf_counter()
            run(image)
            samples[name].append(time.perf_counter() - start)
    return samples


def main() -> None:
    """Print one line a chain: median per layer in ms, and how many times faster than float32."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--layers", type=int, default=4, help="length of the chain")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)

    image = torch.randn(1, flags.channels, flags.height, flags.width).contiguous(memory_format=torch.channels_last)
    samples = measure(chains(flags.channels, flags.layers, flags.threads), image, flags.rounds)
    for name, seconds in samples.items():
        median = 1e3 * statistics.median(seconds) / flags.layers
        # Of each round's own pair, so that a slow moment of the machine meets both sides.
        ratio = statistics.median(base / own for base, own in zip(samples[BASELINE], seconds, strict=True))
        sys.stdout.write(f"{name:42} {median:8.2f} ms/layer {ratio:6.2f}x\n")


if __name__ == "__main__":
    main()
