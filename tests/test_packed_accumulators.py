"""Integer accumulators equal float64 convolution, for every kernel that this processor runs."""

from __future__ import annotations

import pytest
import torch
from packed_data import KERNELS, image_for, random_spec, reference_accumulators

from bench.layer.spec import Epilogue, LayerSpec, SignInput, UniformInput
from bench.packed.kernels import KERNEL_VARIABLE, selected_kernel
from bench.packed.layer import PackedLayer

SAME = {(1, 1): (0, 0), (3, 3): (1, 1), (5, 5): (2, 2), (1, 3): (0, 1), (3, 1): (1, 0), (7, 7): (3, 3)}

# (Ci, Co), kernel, (height, width), other
BINARY = [
    ((64, 64), (3, 3), (9, 37), {}),
    ((64, 64), (3, 3), (9, 36), {"bases": 2}),
    ((64, 64), (3, 3), (8, 35), {"bases": 3, "stride": 2}),
    ((1, 1), (3, 3), (5, 7), {}),
    ((3, 63), (5, 5), (7, 6), {}),
    ((60, 60), (3, 3), (7, 66), {}),
    ((63, 65), (3, 3), (5, 9), {"stride": 2}),
    ((65, 3), (1, 3), (4, 11), {"bases": 2}),
    ((130, 33), (3, 3), (6, 5), {}),
    ((256, 64), (3, 3), (5, 6), {}),
    ((64, 256), (3, 3), (4, 7), {}),
    ((130, 130), (1, 1), (3, 45), {}),
    ((60, 180), (1, 1), (17, 23), {"bases": 3}),
    ((64, 96), (1, 1), (5, 7), {"stride": 2}),
    ((65, 64), (1, 1), (3, 3), {"padding": (2, 1)}),
    ((64, 64), (5, 5), (2, 3), {}),  # image smaller than the kernel
    ((64, 31), (7, 7), (1, 1), {}),
    ((64, 32), (3, 1), (9, 4), {}),
    ((65, 40), (3, 3), (11, 12), {"dilation": 2, "padding": (2, 2)}),
    ((64, 8), (3, 3), (9, 9), {"dilation": 3, "padding": (1, 4), "stride": 2}),
    ((3, 5), (3, 3), (6, 6), {"padding": (0, 0)}),
    ((64, 64), (3, 3), (4, 4), {"padding": (5, 3)}),  # some outputs see padding only
    ((64, 16), (2, 4), (6, 9), {"padding": (1, 2), "stride": 3}),
    ((1040, 33), (7, 7), (8, 9), {"padding": (0, 0)}),  # 833 words a sum: two passes on AVX2
]

INTEGER = [
    ((64, 64), (3, 3), (5, 34), {"weight_bits": 4, "input_bits": 4}),
    ((3, 7), (3, 3), (6, 5), {"weight_bits": 8, "input_bits": 8}),
    ((65, 33), (3, 3), (5, 7), {"weight_bits": 2, "input_bits": 2, "signed": True}),
    ((60, 60), (1, 1), (4, 33), {"weight_bits": 8, "input_bits": 8, "signed": True}),
    ((130, 40), (1, 3), (4, 6), {"weight_bits": 6, "input_bits": 6, "signed": True, "stride": 2}),
    ((63, 65), (5, 5), (3, 4), {"weight_bits": 3, "input_bits": 5, "bases": 2}),
    ((66, 64), (3, 3), (7, 8), {"weight_bits": 4, "input_bits": 3, "dilation": 2, "padding": (2, 2), "signed": True}),
    ((65, 32), (3, 3), (5, 6), {"weight_bits": 4}),  # sign input
    ((61, 5), (3, 3), (5, 6), {"weight_bits": 8, "bases": 2}),
    ((64, 33), (3, 3), (5, 6), {"input_bits": 4, "signed": True}),  # 1-bit weights
    ((1, 1), (3, 3), (4, 4), {"input_bits": 8}),
    ((7, 9), (7, 7), (4, 4), {"weight_bits": 7, "input_bits": 7, "signed": True}),
]


def check(spec: LayerSpec, x: torch.Tensor, kernel: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KERNEL_VARIABLE, kernel)
        layer = PackedLayer(spec)
        assert selected_kernel() == kernel
    expected = reference_accumulators(spec, x)
    for threads in (1, 2):
        layer.threads = threads
        assert torch.equal(layer.accumulators(x), expected)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("channels, window, size, other", BINARY + INTEGER)
def test_grid(channels, window, size, other, kernel) -> None:
    other = {"padding": SAME.get(window)} | other
    spec = random_spec(channels, window, **other)
    for batch in (1, 3):
        check(spec, image_for(spec, batch, *size), kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_largest_binary_sums(kernel: str, value: float) -> None:
    """Every sign (dis)agrees over 68,992 products: more than 16 bits, or any 8-bit stage, can count."""
    weight = torch.ones((1, 2, 1408, 7, 7), dtype=torch.int8)
    spec = LayerSpec(SignInput(torch.zeros(1408)), weight, Epilogue(torch.ones(1, 2)))
    check(spec, torch.full((1, 1408, 7, 8), value), kernel)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("weight_bits, low, high", [(2, 0, 3), (4, 0, 15), (4, -8, 7), (6, -32, 31), (8, 0, 255)])
@pytest.mark.parametrize("extreme", [float("-inf"), float("inf")])
def test_largest_integer_sums(kernel: str, weight_bits: int, low: int, high: int, extreme: float) -> None:
    """All products at their largest magnitude: no intermediate width may saturate."""
    weight = torch.full((2, 3, 603, 3, 3), -(2 ** (weight_bits - 1)), dtype=torch.int8)
    weight[1] = 2 ** (weight_bits - 1) - 1
    rule = UniformInput(weight_bits, 0.5, low, high)
    spec = LayerSpec(rule, weight, Epilogue(torch.ones(2, 3)), weight_bits, padding=(1, 1))
    check(spec, torch.full((1, 603, 4, 5), extreme), kernel)


@pytest.mark.parametrize("kernel", KERNELS)
def test_nan_is_bit_zero_before_flip_or_the_lowest_integer(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNEL_VARIABLE, kernel)
    weight, ones = torch.ones((1, 1, 2, 1, 1), dtype=torch.int8), Epilogue(torch.ones(1, 1))
    x = torch.full((1, 2, 1, 1), float("nan"))
    sign = SignInput(torch.tensor([float("-inf"), float("-inf")]), torch.tensor([False, False]))
    assert PackedLayer(LayerSpec(sign, weight, ones)).accumulators(x).item() == -2
    flipped = SignInput(sign.threshold, torch.tensor([False, True]))
    assert PackedLayer(LayerSpec(flipped, weight, ones)).accumulators(x).item() == 0
    uniform = UniformInput(3, 1.0, -4, 3)
    assert PackedLayer(LayerSpec(uniform, weight, ones, weight_bits=2)).accumulators(x).item() == -8
