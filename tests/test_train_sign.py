"""The quick forms of sign and its gradients against the plain ones, element by element."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.nn import estimators
from bench.nn.estimators import Fourier, Tanh, clip, half_clip, identity, poly, sign, swish

TYPES = (torch.float32, torch.bfloat16, torch.float64)


def inputs(dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
    """Random values with the edges of every window among them: zeros of both signs, +-1/2 and +-1 and their
    neighbours, subnormal and huge numbers."""
    x = (torch.randn(3, 8, 7, 9, generator=torch.Generator().manual_seed(0)) * 1.2).to(dtype)
    step = torch.finfo(dtype).eps
    edges = [0.0, torch.finfo(dtype).tiny / 4, 0.5, 0.5 * (1 + step), 0.5 * (1 - step / 2), 1.0, 1 + step, 1 - step / 2]
    edges += [-edge for edge in edges] + [1e30, -1e30]
    x.view(-1)[: len(edges)] = torch.tensor(edges, dtype=torch.float64).to(dtype)
    return x.to(memory_format=layout)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("estimator", [clip, poly, identity, half_clip, swish, Tanh(0.3), Tanh(4.0), Fourier()])
def test_values_and_gradients_are_those_of_the_plain_form(
    estimator: Callable[[Tensor], Tensor], dtype: torch.dtype, layout: torch.memory_format
) -> None:
    x = inputs(dtype, layout).requires_grad_()
    grad = torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    y = sign(x, estimator)
    y.backward(grad)
    assert y.dtype == dtype
    assert torch.equal(y, torch.where(x >= 0, 1.0, -1.0).to(dtype))
    plain = grad * estimator(x.detach())
    if estimator in (clip, poly, identity, half_clip):
        assert torch.equal(x.grad, plain)
    else:  # a few roundings of the type apart
        torch.testing.assert_close(x.grad, plain, rtol=8 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


def test_inputs_are_left_as_they_were() -> None:
    x = inputs(torch.float32, torch.contiguous_format)
    before = x.clone()
    for estimator in estimators._FUSED:
        y = x.clone().requires_grad_()
        grad = torch.ones_like(x)
        sign(y, estimator).backward(grad)
        assert torch.equal(y, before) and torch.equal(grad, torch.ones_like(x))
