"""The public interface for programs: a packed network from a file, run on NumPy pictures.

import bench
sr = bench.load_packed("frb.srresnet.x4.packed.safetensors")(picture)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.contract import UserError
from bench.nn.build import build_network
from bench.packed import fileformat
from bench.packed.fileformat import PackedHeader
from bench.packed.pack import load_into, packed_units
from bench.pictures.protocol import SR_Y_V1
from bench.plan.discover import discover, load_class

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LayerFacts:
    """A packed layer."""

    name: str
    """Where it stands in the network, e.g. ``body.0.conv1``"""
    kernel: str
    """Name of the native kernel that runs it here, e.g. ``avx512-vpopcnt``"""
    shape: tuple[int, int, int, int]
    """(output channels, input channels, rows, columns)"""
    bits_w: int
    bits_a: int
    bases: int


@dataclass(frozen=True)
class PackedNetwork:
    """A network with packed layers, ready to run on this CPU."""

    header: PackedHeader
    """Method, backbone, scale, the hash of the trained weights"""
    module: nn.Module = field(repr=False)
    """The PyTorch module: (N, 3, H, W) float32 in [0, 1] -> (N, 3, scale * H, scale * W)"""

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (H, W, 3), uint8 RGB, as (scale * H, scale * W, 3). Raises UserError for another shape or type."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise UserError(
                f"a picture of shape {picture.shape} and type {picture.dtype}: expected (H, W, 3) and uint8, RGB. "
                "Convert it, with PIL for instance: numpy.asarray(Image.open(FILE).convert('RGB'))."
            )
        import torch

        image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            output = self.module(image.contiguous(memory_format=torch.channels_last))
        return SR_Y_V1.quantize(output[0].permute(1, 2, 0).numpy())

    @property
    def layers(self) -> tuple[LayerFacts, ...]:
        """Every packed layer in the order of the network."""
        return tuple(_facts(name, unit.layer) for name, unit in packed_units(self.module).items())


def load_packed(path: str | Path, algorithm: str | None = None) -> PackedNetwork:
    """The packed network in a file that ``run_bench.py export --to packed`` wrote.

    ``algorithm`` names the class of a method that is none of this project's: ``path/to/file.py:Class``.

    Raises UserError when the file is damaged, of another version, or of a method that is not there.
    """
    path = Path(path)
    header, _, _ = fileformat.load_packed(path)
    registry = discover()
    if algorithm is None and header.algorithm not in registry.algorithms:
        raise UserError(
            f"{path} is of the method {header.algorithm!r}, which is none of this project's. Name its class: "
            "load_packed(path, algorithm='path/to/file.py:Class')."
        )
    method = load_class(algorithm)() if algorithm else registry.loader(header.algorithm)
    network = build_network(method, header.backbone, header.scale).eval()
    return PackedNetwork(header, load_into(network, path, vars(header)))


def _facts(name: str, layer: Any) -> LayerFacts:
    g = layer.geometry
    return LayerFacts(
        name, layer.kernel, (g.out_channels, g.in_channels, *g.kernel), g.weight_bits, g.input_bits, g.bases
    )
