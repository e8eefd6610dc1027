"""Which layers are timed, and packed layers of those shapes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.layer.spec import Epilogue, LayerSpec, SignInput, UniformInput


@dataclass(frozen=True)
class Shape:
    """A same-size convolution on an image, alone or in a chain."""

    cin: int
    cout: int
    kernel: int
    width: int
    height: int
    where: str
    """Where it occurs"""

    @property
    def title(self) -> str:
        size = f"{self.kernel}x{self.kernel} {self.cin}->{self.cout}, {self.width}x{self.height}"
        return f"{size} ({self.where})" if self.where else size

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one layer, one base."""
        return self.cin * self.cout * self.kernel**2 * self.width * self.height

    @property
    def length(self) -> int:
        """Layers in a chain."""
        return 4 if self.cin == self.cout else 1


SHAPES = (
    Shape(64, 64, 3, 320, 180, ""),
    Shape(128, 128, 3, 160, 90, ""),
    Shape(256, 256, 3, 160, 90, ""),
    Shape(60, 60, 3, 320, 180, "SwinIR_S, conv"),
    Shape(64, 64, 1, 320, 180, ""),
    Shape(64, 256, 3, 320, 180, "upsampler"),
    Shape(60, 180, 1, 320, 180, "SwinIR_S, qkv"),
    Shape(60, 120, 1, 320, 180, "SwinIR_S, mlp"),
    Shape(120, 60, 1, 320, 180, "SwinIR_S, mlp"),
)


def convolutions(shape: Shape) -> nn.Sequential:
    """The chain in full precision: convolutions with bias, nothing else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convs = [nn.Conv2d(shape.cin, shape.cout, shape.kernel, padding=shape.kernel // 2) for _ in range(shape.length)]
    return nn.Sequential(*convs).eval()


def random_spec(shape: Shape, bases: int, bits: int, generator: torch.Generator) -> LayerSpec:
    """A layer with random weights and a full epilogue: scale, bias, RPReLU, and a shortcut where it fits.

    ``bits``: of the weights and of the unsigned inputs; 1 is a binary layer.
    """

    def vector(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    size = (bases, shape.cout, shape.cin, shape.kernel, shape.kernel)
    if bits == 1:
        weight = 2 * torch.randint(0, 2, size, generator=generator) - 1
        rule = SignInput(vector(shape.cin))
    else:
        weight = torch.randint(-(2 ** (bits - 1)), 2 ** (bits - 1), size, generator=generator)
        rule = UniformInput(bits, 0.1, 0, 2**bits - 1)
    epilogue = Epilogue(
        torch.full((bases, shape.cout), 0.04 / 2 ** (2 * bits)),  # keeps a chain's values near 1
        vector(shape.cout),
        pre=vector(shape.cout),
        slope=torch.full((shape.cout,), 0.25),
        post=vector(shape.cout),
        skip="after" if shape.cin == shape.cout else "none",
    )
    return LayerSpec(rule, weight.to(torch.int8), epilogue, bits, padding=(shape.kernel // 2,) * 2)
