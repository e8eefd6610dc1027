"""A quantized convolution that runs in the native kernels."""

from __future__ import annotations

import weakref
from typing import Any, Self

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.spec import LayerSpec, check_spec
from bench.packed import passed_bits as handover
from bench.packed.bits import unpack_planes
from bench.packed.encoding import VECTORS, LayerGeometry, decode, encode
from bench.packed.kernels import native, selected_kernel

MAX_KERNEL = 7
"""Largest kernel side of the native kernels."""
MAX_THREADS = 256


class PackedLayer(nn.Module):
    """A `LayerSpec`, packed. For inference: it gives no gradient.

    It lives on the CPU in float32, and moving or casting the network around it leaves it as it is. Its packed tensors
    are buffers; the kernel that runs it is chosen when it is built.
    """

    threads: int | None
    """Threads of the kernel, at least 1; None follows ``torch.get_num_threads()``."""
    next: weakref.ref[PackedLayer] | None
    """The layer that this one packs its output for, learnt by `bench.packed.passed_bits`"""
    runs: list[int]
    """[how often the kernel ran since somebody set it to 0]; a list, since a module's own attributes are slow to set"""

    def __init__(self, spec: LayerSpec, threads: int | None = None):
        """Raises ValueError when the spec is inconsistent, Unsupported when it is beyond the kernels."""
        super().__init__()
        check_spec(spec)
        if max(spec.kernel) > MAX_KERNEL:
            raise Unsupported(f"packed kernels reach up to {MAX_KERNEL}x{MAX_KERNEL}, got {spec.kernel}")
        self.threads = threads
        self.next = None
        self.runs = [0]
        self.geometry, tensors = encode(spec)
        for name, value in tensors.items():
            self.register_buffer(name, value)
        self._build()

    @classmethod
    def from_tensors(cls, geometry: LayerGeometry, tensors: dict[str, Tensor]) -> Self:
        """The layer that `geometry` and `tensors` describe. Raises ValueError when they do not fit together."""
        return cls(decode(geometry, tensors))

    def tensors(self) -> dict[str, Tensor]:
        """The packed tensors, as `bench.packed.encoding.encode` describes them."""
        return dict(self.named_buffers())

    @property
    def spec(self) -> LayerSpec:
        """The layer's description, unpacked."""
        return decode(self.geometry, self.tensors())

    @property
    def kernel(self) -> str:
        """Name of the native kernel that runs this layer."""
        return self._layer.kernel

    def forward(self, x: Tensor, skip: Tensor | None = None, scale_map: Tensor | None = None) -> Tensor:
        """float32 (N, Ci, H, W) -> (N, Co, Ho, Wo), channels_last on both sides; or tokens (..., Ci) -> (..., Co).

        ``skip``: the shortcut, in the output's shape, given exactly if the spec has one. ``scale_map``: one float per
        output pixel, (N, Ho, Wo) or (N, 1, Ho, Wo), given exactly if the spec takes one. Tokens are (N, Ci) or
        (N, L, Ci), for a kernel of 1x1; their scale map has one float per token. Other memory formats and dtypes are
        converted first. NaN in ``x`` becomes bit 0 (before ``flip``) or the lowest integer. Raises ValueError when a
        shape does not fit.
        """
        if (scale_map is not None) != self.geometry.scale_map:
            raise ValueError("scale_map: given to a layer that takes none, or missing")
        image = self._image(x)
        n, h, w, _ = image.shape
        height, width = self._layer.output_size(h, w)
        shortcut = None if skip is None else self._image(skip)
        if scale_map is not None:
            pixels = (n, height, width)
            if scale_map.numel() != n * height * width or (x.dim() == 4 and scale_map.shape[-2:] != pixels[1:]):
                raise ValueError(f"scale_map: got {tuple(scale_map.shape)}, expected {pixels}")
            scale_map = scale_map.detach().to("cpu", torch.float32).reshape(pixels).contiguous()
        packed = handover.take(x, self) if x.dim() == 4 else None
        reader = self._reader() if x.dim() == 4 else None
        # Outside inference mode: its tensors do not record that they are written to.
        with torch.inference_mode(False):
            out = torch.empty((n, height, width, self.geometry.out_channels))
            image_out = out.permute(0, 3, 1, 2)
        given = None
        if reader is not None:
            given = torch.empty((n, height, width, reader._layer.packed_bytes), dtype=torch.uint8)
        native_reader = None if reader is None else reader._layer
        self._layer.run(image, out, shortcut, scale_map, self._threads(), packed, native_reader, given)
        self.runs[0] += 1
        if x.dim() != 4:
            return out.reshape(*x.shape[:-1], self.geometry.out_channels)
        handover.leave(image_out, self, reader, given)
        return image_out

    def accumulators(self, x: Tensor) -> Tensor:
        """int32 [bases, N, Ho, Wo, Co]: the sums before any float work. ``x`` as in `forward`; tokens have Wo = 1."""
        image = self._image(x)
        height, width = self._layer.output_size(image.shape[1], image.shape[2])
        shape = (self.geometry.bases, image.shape[0], height, width, self.geometry.out_channels)
        out = torch.empty(shape, dtype=torch.int32)
        self._layer.accumulators(image, out, self._threads())
        return out

    def _image(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or tokens -> contiguous float32 (N, H, W, C); no copy of a channels_last tensor."""
        if x.dim() == 4:
            image = x.permute(0, 2, 3, 1)
        elif x.dim() in (2, 3) and self.geometry.kernel == (1, 1):
            image = x.reshape(x.shape[0], -1, 1, x.shape[-1])
        else:
            raise ValueError(f"got shape {tuple(x.shape)}, expected (N, C, H, W), or tokens for a kernel of 1x1")
        return image.detach().to("cpu", torch.float32).contiguous()

    def _reader(self) -> PackedLayer | None:
        """The layer to pack the output for."""
        reader = None if self.next is None else self.next()
        return reader if reader is not None and reader.geometry.in_channels == self.geometry.out_channels else None

    def _threads(self) -> int:
        return min(self.threads or torch.get_num_threads(), MAX_THREADS)

    def _build(self) -> None:
        """Hand copies of the tensors to the native side, which lays them out for its kernel."""
        g, kernel, module, t = self.geometry, selected_kernel(), native(), self.tensors()
        common = module.Common(
            stride=g.stride,
            padding=g.padding,
            dilation=g.dilation,
            scale=t["scale"],
            skip=g.skip,
            **{name: t.get(name) for name in VECTORS},
        )
        flip = t.get("flip", torch.zeros(t["weights"].shape[-1], dtype=torch.int64))
        if g.binary:
            self._layer = module.binary_layer(kernel, t["weights"][0], g.in_channels, t["threshold"], flip, common)
            return
        weights = (g.weight_offset + g.weight_step * unpack_planes(t["weights"], g.in_channels)).to(torch.int8)
        if g.input == "sign":
            self._layer = module.sign_integer_layer(kernel, weights, t["threshold"], flip, common)
        else:
            self._layer = module.uniform_layer(
                kernel, weights, t.get("shift"), g.input_step, g.input_low, g.input_high, common
            )

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._build()

    def __getstate__(self) -> dict[str, Any]:
        # The copy learns its own neighbour.
        return {name: value for name, value in self.__dict__.items() if name != "_layer"} | {"next": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._build()

    def extra_repr(self) -> str:
        g = self.geometry
        return f"{g.in_channels}, {g.out_channels}, {g.kernel}, bases={g.bases}, kernel={self.kernel!r}"
