"""Uniform quantizers in their two forms, training and deployed: the same integers; and what travels with them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bench.contract import Unsupported
from bench.layer.reference import quantize_input
from bench.layer.spec import check_spec
from bench.nn.quantizers import ActQuantizer, WeightQuantizer
from bench.nn.uniform import LearnedStepWeight, MaxWeight, MinMaxWeight, TanhWeight, phi_slope
from bench.nn.uniform_act import ClippedUnit, LearnedStep, OnGrid, PactRange, PamsRange, RunningRange, Unquantized
from bench.nn.unit import plain_unit
from bench.packed.parity import relative_error

ACTS = {
    "dorefa": lambda c, bits: ClippedUnit(bits),
    "pact": lambda c, bits: PactRange(bits),
    "pams": lambda c, bits: PamsRange(bits),
    "pams as in the paper": lambda c, bits: PamsRange(bits, "range"),
    "quantsr": lambda c, bits: LearnedStep(c, bits, phi_slope),
    "tflite": lambda c, bits: RunningRange(bits),
}
WEIGHTS = {"max": MaxWeight, "tanh": TanhWeight, "learned": LearnedStepWeight, "affine": MinMaxWeight}


def trained(act: ActQuantizer, seed: int = 0) -> ActQuantizer:
    """After one batch and a random move of what it learns."""
    generator = torch.Generator().manual_seed(seed)
    channels = 5
    act.train()(torch.randn(2, channels, 6, 7, generator=generator))
    with torch.no_grad():
        for parameter in act.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return act.eval()


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("name", ACTS)
def test_both_forms_of_an_input_pick_the_same_integer(name: str, bits: int) -> None:
    act = trained(ACTS[name](5, bits))
    unit = plain_unit(5, 3, 3, MaxWeight(bits), act).eval()
    spec = unit.spec()
    check_spec(spec)
    rule, step = spec.input, spec.input.step
    ties = torch.arange(rule.low - 1, rule.high + 1).float().add(0.5).mul(step)
    x = torch.cat([torch.randn(4000) * step * rule.high, ties, torch.zeros(1)])
    x = x[: len(x) // 5 * 5].view(1, 5, 1, -1)
    integers = quantize_input(spec, x)
    assert torch.equal(act(x), integers * step)
    assert integers.min() >= rule.low and integers.max() <= rule.high and rule.high - rule.low < 2**bits
    assert integers.unique().numel() > 2


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", WEIGHTS)
def test_integer_weights_rebuild_the_values(name: str, bits: int) -> None:
    quantizer: WeightQuantizer = WEIGHTS[name](bits)
    torch.manual_seed(bits)
    weight = torch.randn(6, 5, 3, 3).clamp(-2, 2)
    weight[0, 0, 0, :2] = torch.tensor([-2.0, 2.0])  # a symmetric range, so that affine 8 bits fit int8
    levels = quantizer.export(weight)
    rebuilt = (levels.integers * levels.scale[:, :, None, None, None]).sum(0)
    values = quantizer(weight)
    torch.testing.assert_close(rebuilt, values.detach(), rtol=1e-6, atol=1e-6)
    assert levels.integers.dtype == torch.int8 and len(levels.integers) == quantizer.bases
    assert 2 < values.unique().numel() <= 2**bits


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("bits", [2, 8])
def test_deployed_form_equals_training_form(weight: str, act: str, bits: int) -> None:
    torch.manual_seed(3)
    unit = plain_unit(5, 7, 3, WEIGHTS[weight](bits), trained(ACTS[act](5, bits))).eval()
    with torch.no_grad():
        unit.bias.normal_()
        unit.weight[0, 0, 0, :2] = torch.tensor([-0.3, 0.3])
    x = torch.randn(2, 5, 9, 11)
    expected = unit(x)
    with torch.no_grad():
        got = unit(x)
    assert expected.requires_grad and not got.requires_grad
    assert relative_error(got, expected.detach()) < 2e-6


def test_tokens_are_quantized_as_pixels_are() -> None:
    unit = plain_unit(5, 4, 1, LearnedStepWeight(4), trained(LearnedStep(5, 4))).eval()
    tokens = torch.randn(2, 6, 5)
    assert torch.equal(unit(tokens), unit(tokens.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2))


@pytest.mark.parametrize("name", ACTS)
def test_quantized_values_stay_where_they_are(name: str) -> None:
    act = trained(ACTS[name](5, 8))
    if isinstance(act, LearnedStep):
        act.shift.data.zero_()
    once = act(torch.randn(1, 5, 40, 40))
    assert torch.equal(act(once), once)


def test_an_input_on_the_grid_of_another_quantizer_packs_as_that_one() -> None:
    source = trained(PamsRange(4))
    holder = nn.ModuleDict({"source": source, "unit": plain_unit(5, 4, 3, MaxWeight(4), OnGrid(source))}).eval()
    assert [name for name, _ in holder.named_parameters() if "alpha" in name] == ["source.alpha"]
    twin = copy.deepcopy(holder)
    twin["source"].alpha.data.mul_(2)
    assert twin["unit"].spec().input.step == pytest.approx(2 * holder["unit"].spec().input.step)
    x = holder["source"](torch.randn(1, 5, 8, 8))
    with torch.no_grad():
        assert relative_error(holder["unit"](x), holder["unit"].differentiable(x, None, None)) < 2e-6


def test_an_unquantized_input_cannot_be_packed_and_says_why() -> None:
    unit = plain_unit(5, 4, 3, MaxWeight(4), Unquantized("a sum of two grids"))
    with pytest.raises(Unsupported, match="a sum of two grids"):
        unit.spec()


@pytest.mark.parametrize("name", ACTS)
def test_state_travels_and_shapes_flow_without_values(name: str) -> None:
    first, second = trained(ACTS[name](5, 4)), ACTS[name](5, 4).eval()
    second.load_state_dict(first.state_dict())
    x = torch.randn(1, 5, 8, 8)
    assert torch.equal(first(x), second(x))
    second.train()
    if isinstance(second, PamsRange):
        second.calibrating = False
    before = {key: value.clone() for key, value in second.state_dict().items()}
    second(x * 9)
    changed = {key for key, value in second.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == ({"minimum", "maximum"} if name == "tflite" else set())
    meta = ACTS[name](5, 4).to("meta").eval()
    assert meta(torch.empty(1, 5, 8, 8, device="meta")).shape == (1, 5, 8, 8)
