"""The float work after the convolution equals PyTorch's, bit for bit, in the documented order."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from packed_data import KERNELS, image_for, random_spec, reference_accumulators
from torch import Tensor

from bench.layer.spec import Epilogue
from bench.packed.kernels import KERNEL_VARIABLE
from bench.packed.layer import PackedLayer


def eager(e: Epilogue, accumulators: Tensor, skip: Tensor | None, scale_map: Tensor | None) -> Tensor:
    """`Epilogue`'s six steps in PyTorch float32, (N, Ho, Wo, Co)."""
    accumulators = accumulators.to(torch.float32)
    y = e.scale[0] * accumulators[0]
    for scale, more in zip(e.scale[1:], accumulators[1:], strict=True):
        y = y + scale * more
    if scale_map is not None:
        y = y * scale_map.unsqueeze(-1)
    if e.bias is not None:
        y = y + e.bias
    if e.skip == "before":
        y = y + skip
    if e.pre is not None:
        y = y + e.pre
    if e.slope is not None:
        y = torch.where(y >= 0, y, y * e.slope)
    if e.post is not None:
        y = y + e.post
    if e.skip == "after":
        y = y + skip
    return y


def bits_of(y: Tensor) -> Tensor:
    """The floats' bit patterns, so that -0 differs from 0."""
    return y.contiguous().view(torch.int32)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("channels, bases", [(1, 1), (5, 3), (60, 1), (64, 1), (67, 2)])
def test_every_combination_of_steps(kernel: str, channels: int, bases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    g = torch.Generator().manual_seed(channels)

    def vector(*shape: int) -> Tensor:
        values = torch.randn(*shape, generator=g)
        # Zeros of both signs among them: neutral elements must not be confused with absent steps.
        values[torch.rand(shape, generator=g) < 0.1] = -0.0
        values[torch.rand(shape, generator=g) < 0.1] = 0.0
        return values

    pixels = (2, 3, 4)
    bare = random_spec((7, channels), bases=bases, padding=(1, 1))
    x = image_for(bare, *pixels)
    accumulators = reference_accumulators(bare, x)
    for with_map, skip, *given in product((False, True), ("none", "before", "after"), *[(False, True)] * 4):
        vectors = [vector(channels) if present else None for present in given]
        bias, pre, slope, post = vectors
        epilogue = Epilogue(vector(bases, channels), bias, with_map, pre, slope, post, skip)
        shortcut = vector(*pixels, channels) if skip != "none" else None
        scale_map = vector(*pixels) if with_map else None
        expected = eager(epilogue, accumulators, shortcut, scale_map)
        got = PackedLayer(replace(bare, epilogue=epilogue))(
            x, None if shortcut is None else shortcut.permute(0, 3, 1, 2), scale_map
        )
        assert torch.equal(bits_of(got.permute(0, 2, 3, 1)), bits_of(expected)), (with_map, skip, given)


@pytest.mark.parametrize("kernel", KERNELS)
def test_special_values_pass_as_in_pytorch(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    special = [0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-42, 3e38]
    count = len(special)
    for slope in (0.0, 0.25, -0.5):
        epilogue = Epilogue(torch.ones(1, count), slope=torch.full((count,), slope), skip="before")
        spec = random_spec((3, count), (1, 1), epilogue=epilogue)
        x = image_for(spec, 1, 2, 9)
        shortcut = torch.tensor(special).expand(1, 2, 9, count)
        got = PackedLayer(spec)(x, shortcut.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        torch.testing.assert_close(
            got, eager(epilogue, reference_accumulators(spec, x), shortcut, None), rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize("kernel", KERNELS)
def test_integers_beyond_float32_round_as_in_pytorch(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """8-bit sums past 2**24 are exact integers and round once, when they become floats."""
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    spec = random_spec((600, 16), weight_bits=8, input_bits=8, padding=(1, 1))
    spec.weight.abs_().clamp_(min=100)
    x = torch.full((1, 600, 6, 7), 1e9)
    assert reference_accumulators(spec, x).max() > 2**24
    got = PackedLayer(spec)(x).permute(0, 2, 3, 1)
    assert torch.equal(bits_of(got), bits_of(eager(spec.epilogue, reference_accumulators(spec, x), None, None)))
