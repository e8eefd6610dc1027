"""Whatever a layer looks like: its integers equal exact arithmetic, its floats equal PyTorch's, bit for bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_data import KERNELS, image_for, layers_with_images, random_spec, reference_accumulators, unaligned
from torch import Tensor

from bench.layer.reference import run_spec
from bench.layer.spec import LayerSpec, SignInput
from bench.packed.kernels import KERNEL_VARIABLE
from bench.packed.layer import PackedLayer

SPECIAL = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-42, -3e38])


def built(spec: LayerSpec, kernel: str, threads: int) -> PackedLayer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNEL_VARIABLE, kernel)
        return PackedLayer(spec, threads)


def with_special(shape: tuple[int, ...], seed: int) -> Tensor:
    """Normal float32 values with zeros of both signs, infinities, NaN and extremes among them."""
    g = torch.Generator().manual_seed(seed)
    chosen = SPECIAL[torch.randint(0, len(SPECIAL), shape, generator=g)]
    return torch.where(torch.rand(shape, generator=g) < 0.1, chosen, torch.randn(shape, generator=g))


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Equal bit patterns, so that -0 differs from 0; any NaN equals any other."""
    equal = a.contiguous().view(torch.int32) == b.contiguous().view(torch.int32)
    return bool((equal | (a.isnan() & b.isnan()).contiguous()).all())


def side_inputs(spec: LayerSpec, pixels: torch.Size, seed: int) -> tuple[Tensor | None, Tensor | None]:
    """Shortcut (N, Co, Ho, Wo) and scale map (N, 1, Ho, Wo), where the layer takes them."""
    n, height, width = pixels
    skip = scale_map = None
    if spec.epilogue.skip != "none":
        skip = unaligned(with_special((n, spec.out_channels, height, width), seed))
    if spec.epilogue.scale_map:
        scale_map = with_special((n, 1, height, width), seed + 1)
    return skip, scale_map


@settings(max_examples=150, deadline=None, derandomize=True)
@given(layers_with_images(), st.integers(1, 4), st.integers(0, 2**31))
def test_any_layer(case: tuple[LayerSpec, Tensor], threads: int, seed: int) -> None:
    spec, x = case
    expected_sums = reference_accumulators(spec, x)
    skip, scale_map = side_inputs(spec, expected_sums.shape[1:4], seed)
    # NaN has no integer; the kernels take the lowest one, as for -infinity. For a sign it is an ordinary "not above".
    known = x if isinstance(spec.input, SignInput) else torch.where(x.isnan(), float("-inf"), x)
    expected = run_spec(spec, known, skip, scale_map)
    x = unaligned(x)
    assert x.data_ptr() % 8 == 4
    for kernel in KERNELS:
        layer = built(spec, kernel, threads)
        assert layer._image(x).data_ptr() == x.data_ptr()
        assert torch.equal(layer.accumulators(x), expected_sums)
        assert same_bits(layer(x, skip, scale_map), expected)


def test_a_wrong_float_would_be_told() -> None:
    """The comparison itself: another order of operations, or a lost sign of zero, is not the same."""
    spec = random_spec((65, 9), bases=3)
    x = image_for(spec, 1, 9, 9)
    y = run_spec(spec, x)
    backwards = sum(
        s.view(-1, 1, 1) * a for s, a in zip(spec.epilogue.scale.flip(0), _accumulated(spec, x), strict=True)
    )
    assert torch.allclose(y, backwards, atol=1e-3) and not same_bits(y, backwards)
    assert not same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert same_bits(torch.tensor([float("nan")]), -torch.tensor([float("nan")]))


def _accumulated(spec: LayerSpec, x: Tensor) -> list[Tensor]:
    return [sums.permute(0, 3, 1, 2).float() for sums in reference_accumulators(spec, x).flip(0)]
