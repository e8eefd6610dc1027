"""DDTB: learned bounds and their gradient, percentile weights, the gate's life, and asymmetric integers in the file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lowbit_kit import batch
from torch import Tensor

from algorithms.ddtb.adapter import DDTB, DDTB2, DDTB4, DDTBInt2, DDTBInt3, DDTBInt4
from algorithms.ddtb.bounds import Bounds, GatedBounds, PercentileWeight, tails
from bench.conformance import perturb
from bench.contract import Unsupported
from bench.layer.spec import UniformInput
from bench.nn.algorithm import Algorithm, parts_of
from bench.nn.build import build_network
from bench.nn.unit import Unit
from bench.packed.pack import pack, packed_units
from bench.packed.parity import check_parity


def rounded(x: Tensor) -> Tensor:
    """Rounding whose gradient is 1."""
    return x + (torch.round(x) - x).detach()


def official(x: Tensor, lower: Tensor, upper: Tensor, bits: int) -> Tensor:
    """The paper's expression with its zero point, differentiable as written."""
    factor = (2**bits - 1) / (upper - lower)
    zero = rounded(factor * lower) + 2 ** (bits - 1)
    inside = torch.max(torch.min(x, upper), lower)
    return (rounded(factor * inside - zero) + zero) / factor


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("ends", [(-1.3, 0.9), (0.0, 2.1), (-0.2, 3.0), (0.7, 2.0)])
def test_bounds_are_the_papers_levels_with_all_their_gradients(bits: int, ends: tuple[float, float]) -> None:
    torch.manual_seed(0)
    act = Bounds(bits).double().eval()
    act.lower.data.fill_(ends[0])
    act.upper.data.fill_(ends[1])
    x = (1.5 * torch.randn(2, 3, 5, 7, dtype=torch.float64)).requires_grad_()
    upstream = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    own = [x, act.lower, act.upper]
    got, expected = act(x), official(x, act.lower, act.upper, bits)
    torch.testing.assert_close(got, expected)
    assert got.unique().numel() <= 2**bits
    mine = torch.autograd.grad((got * upstream).sum(), own)
    theirs = torch.autograd.grad((expected * upstream).sum(), own)
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_bounds_start_at_the_first_batchs_percentiles_and_only_there() -> None:
    act = Bounds(4)
    x = torch.randn(2, 3, 40, 40)
    act.eval()(x)
    assert float(act.upper.detach()) == 1
    act.train()(x)
    ends = np.percentile(x.numpy(), (1, 99))
    assert [float(b.detach()) for b in (act.lower, act.upper)] == pytest.approx(ends, rel=1e-5)
    act(10 * x)
    assert float(act.upper.detach()) == pytest.approx(ends[1], rel=1e-5)


def test_weights_lie_between_their_percentiles() -> None:
    torch.manual_seed(0)
    weight = torch.randn(16, 8, 3, 3).requires_grad_()
    quantize = PercentileWeight(2)
    values = quantize(weight)
    low, high = np.percentile(weight.detach().numpy(), (1, 99))
    expected = official(weight.detach(), torch.tensor(low), torch.tensor(high), 2)
    torch.testing.assert_close(values.detach(), expected.float())
    values.sum().backward()
    inside = (weight.detach() >= low) & (weight.detach() <= high)
    assert torch.equal(weight.grad, inside.float()) and 0 < (~inside).sum() < 30
    levels = quantize.export(weight.detach())
    assert torch.allclose(levels.integers[0] * levels.scale[0, 0], values.detach())
    assert int(levels.integers.max() - levels.integers.min()) == 3


@pytest.mark.parametrize("method", [DDTBInt2(), DDTBInt3(), DDTBInt4()], ids=lambda m: m.card.key)
@torch.no_grad()
def test_asymmetric_integers_run_packed(tiny: None, method: Algorithm) -> None:
    network = perturb(build_network(method, "srresnet", 2))
    network(torch.rand(2, 3, 9, 9))
    network.eval()
    specs = [unit.spec() for unit in parts_of(network, Unit)]
    assert any(spec.input.low != -spec.input.high and spec.input.low != -spec.input.high - 1 for spec in specs)
    assert all(spec.input.high - spec.input.low == 2**method.card.bits_a - 1 for spec in specs)
    packed = pack(network)
    assert len(packed_units(packed)) == 8
    parity = check_parity(network, packed, torch.rand(1, 3, 17, 23).contiguous(memory_format=torch.channels_last))
    assert parity.passed, parity.reason()


def test_bounds_to_one_side_of_zero_take_more_bits_or_are_refused() -> None:
    act = Bounds(2)
    act.lower.data.fill_(2.0)
    act.upper.data.fill_(5.0)
    rule = act.export(4).input
    assert isinstance(rule, UniformInput) and (rule.bits, rule.low, rule.high) == (3, 2, 5)
    act.lower.data.fill_(1000.0)
    act.upper.data.fill_(1003.0)
    with pytest.raises(Unsupported, match="integers 1000 to 1003"):
        act.export(4)


def test_gates_are_chosen_by_what_varies_and_act_later(tiny: None) -> None:
    method = DDTB4()
    network = build_network(method, "srresnet", 2).train()
    acts = list(parts_of(network, GatedBounds))
    method.on_progress(network, 0.0)
    for size in (0.2, 1.0, 0.5):
        network(size * torch.rand(2, 3, 9, 9))
    most = sorted(acts, key=GatedBounds.variation, reverse=True)[: int(0.3 * len(acts))]
    method.on_progress(network, 1.5 / 60)
    assert {id(a) for a in acts if a.dynamic} == {id(a) for a in most} and not any(a.acting for a in acts)
    method.on_progress(network, 4.9 / 60)
    assert not any(a.acting for a in acts)
    method.on_progress(network, 5.1 / 60)
    assert {id(a) for a in acts if a.acting} == {id(a) for a in most}
    for act in acts:  # whether chosen or not: which layers are is known after the training alone
        with pytest.raises(Unsupported, match="depend on the image"):
            act.export(8)
    other = build_network(method, "srresnet", 2)
    other.load_state_dict(network.state_dict())
    assert [bool(a.acting) for a in parts_of(other, GatedBounds)] == [bool(a.acting) for a in acts]


@torch.no_grad()
def test_an_acting_gate_multiplies_both_bounds_by_image() -> None:
    act = perturb(GatedBounds(4, 8)).eval()
    act.acting.fill_(True)
    act.gate.up.weight.data.mul_(20)
    x = torch.randn(3, 8, 6, 7) * torch.tensor([1.0, 3.0, 0.3]).view(3, 1, 1, 1)
    factors = 2 * torch.sigmoid(act.gate(x))[..., 0, 0]
    assert factors.std(0).min() > 0
    for image, (up, down) in zip(x, factors, strict=True):
        expected = official(image, down * act.lower, up * act.upper, 4)
        torch.testing.assert_close(act(image[None])[0], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("epoch", "pulled"), [(1, 12), (3, 3), (7, 0)])
def test_gates_are_pulled_to_one_until_they_act(tiny: None, epoch: int, pulled: int) -> None:
    method, (lr, hr) = DDTB2(), batch()
    network = perturb(build_network(method, "srresnet", 2)).train()
    method.on_progress(network, 0.0)
    network(lr)
    method.on_progress(network, (epoch - 0.5) / 60)
    recorded: list[Tensor] = []
    for act in parts_of(network, GatedBounds):
        act.pulls = recorded
    network(lr)
    assert len(recorded) == pulled
    with_pull = method.loss(network, lr, hr)
    plain = super(DDTB, method).loss(network, lr, hr) * 255
    assert all(act.pulls is None for act in parts_of(network, GatedBounds))
    expected = sum(recorded) / len(recorded) if recorded else 0
    torch.testing.assert_close(with_pull, plain + expected, atol=1e-3, rtol=1e-4)


def test_percentiles_of_very_many_values_are_taken_from_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("algorithms.ddtb.bounds.MOST", 1000)
    x = torch.linspace(0, 1, 100_001)
    assert tails(x).tolist() == pytest.approx([0.01, 0.99], abs=2e-3)
