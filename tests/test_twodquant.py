"""2DQuant: bounds found by search and learnt against the teacher, weights left alone, packed with its offsets."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from algorithms.fp32.adapter import FullPrecision
from algorithms.pams.adapter import PAMS4
from algorithms.twodquant.adapter import Beside, TwoDQuant, TwoDQuant2, TwoDQuant3, TwoDQuant4
from algorithms.twodquant.bounds import BoundedAct, BoundedWeight, TwoBounds
from bench.contract import Unsupported
from bench.nn.algorithm import parts_of
from bench.nn.backbones import swinir_s
from bench.nn.build import build_network
from bench.nn.training.plan import make_plan
from bench.nn.unit import Unit
from bench.packed.pack import pack, packed_units
from bench.packed.parity import check_parity


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """SwinIR of 2 groups of 2 layers and 12 channels."""
    monkeypatch.setattr(swinir_s, "build", partial(swinir_s.build, channels=12, groups=2, layers=2))


def calibrated(method: TwoDQuant, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """(network, teacher), the first batch seen."""
    teacher = build_network(FullPrecision(), "swinir_s", 2, seed=1)
    network = build_network(method, "swinir_s", 2, seed)
    method.take_over(network, teacher)
    with torch.no_grad():
        network.train()(torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(seed)))
    return network, teacher.eval()


def reference(x: Tensor, lower: Tensor, upper: Tensor, bits: int) -> Tensor:
    """The paper's expression, differentiable as written, rounding as the identity."""
    step = (upper - lower) / (2**bits - 1)
    inside = torch.max(torch.min(x, upper), lower)
    scaled = (inside - lower) / step
    return step * (scaled + (torch.round(scaled) - scaled).detach()) + lower


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_levels_and_gradients_are_the_papers(bits: int) -> None:
    torch.manual_seed(0)
    bounds = TwoBounds(bits).double().eval()
    bounds.lower.data.fill_(-0.7)
    bounds.upper.data.fill_(1.1)
    x = torch.randn(400, dtype=torch.float64).requires_grad_()
    upstream = torch.randn(400, dtype=torch.float64)
    own = [x, bounds.lower, bounds.upper]
    got, expected = bounds(x), reference(x, bounds.lower, bounds.upper, bits)
    torch.testing.assert_close(got, expected)
    assert got.unique().numel() == 2**bits
    pairs = zip(*(torch.autograd.grad((y * upstream).sum(), own) for y in (got, expected)), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs)


def test_the_search_keeps_the_least_error_of_a_hundred() -> None:
    torch.manual_seed(0)
    x = torch.randn(5000)
    bounds = TwoBounds(2)
    bounds.search(x)
    shrunk = (x.max() - x.min()) / 200 * torch.arange(100)
    tried = [(x.min() + s, x.max() - s) for s in shrunk]
    errors = [float((reference(x, low, high, 2) - x).square().sum()) for low, high in tried]
    low, high = tried[errors.index(min(errors))]
    assert 0 < errors.index(min(errors)) < 99
    assert float(bounds.lower.detach()) == pytest.approx(float(low)) and float(bounds.upper.detach()) == pytest.approx(
        float(high)
    )


def test_it_starts_from_the_teacher_and_leaves_its_weights(small: None) -> None:
    network, teacher = calibrated(TwoDQuant4())
    theirs = teacher.state_dict()
    joint = network.body.groups[0].layers[0].attention.qkv
    assert isinstance(joint, Beside)
    together = torch.cat([unit.weight for unit in joint]).flatten(1)
    assert torch.equal(together, theirs["body.groups.0.layers.0.attention.qkv.weight"])
    mine = network.body.groups[1].layers[1].mlp[2]
    assert torch.equal(mine.weight.flatten(1), theirs["body.groups.1.layers.1.mlp.2.weight"])
    assert torch.equal(network.state_dict()["head.weight"], theirs["head.weight"])
    learning = {id(p) for p in network.parameters() if p.requires_grad}
    assert learning == {id(p) for bounds in parts_of(network, TwoBounds) for p in bounds.parameters()}
    (group,) = TwoDQuant4().parameter_groups(network, 1e-2)
    assert {id(p) for p in group["params"]} == learning and len(learning) == 2 * 2 * 4 * 6


def test_a_units_weights_start_from_a_linear_layers(small: None) -> None:
    teacher = build_network(FullPrecision(), "swinir_s", 2, seed=1)
    network = build_network(PAMS4(), "swinir_s", 2)
    PAMS4().take_over(network, teacher)
    mine, theirs = network.body.groups[0].layers[0].mlp[0], teacher.body.groups[0].layers[0].mlp[0]
    assert torch.equal(mine.weight.flatten(1), theirs.weight) and torch.equal(mine.bias, theirs.bias)


@pytest.mark.parametrize("method", [TwoDQuant2(), TwoDQuant3(), TwoDQuant4()], ids=lambda m: m.card.key)
@torch.no_grad()
def test_levels_off_zero_run_packed(small: None, method: TwoDQuant) -> None:
    network, _ = calibrated(method)
    packed = pack(network.eval())
    assert len(packed_units(packed)) == 4 * 6
    image = torch.rand(1, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    parity = check_parity(network, packed, image)
    assert parity.passed, parity.reason()


@torch.no_grad()
def test_a_packed_unit_adds_what_the_offsets_give() -> None:
    torch.manual_seed(0)
    unit = TwoDQuant3().unit(6, 10).train()
    tokens = torch.randn(2, 9, 6)
    unit(tokens)
    trained = F.linear(unit.quantize_act.bounds(tokens), unit.quantize_weight(unit.weight).flatten(1), unit.bias)
    torch.testing.assert_close(unit.eval()(tokens), trained, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_levels_off_zero_cannot_be_padded_with_zeros() -> None:
    unit = Unit(4, 4, 3, weight=BoundedWeight(4), act=BoundedAct(4))
    with pytest.raises(Unsupported, match="zero padding"):
        unit.spec()


def test_the_loss_compares_with_the_teacher_alone(small: None) -> None:
    method = TwoDQuant2()
    network, teacher = calibrated(method)
    lr, hr = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 32, 32)
    loss = method.loss(network, lr, hr, teacher)
    assert float(loss.detach()) == float(method.loss(network, lr, torch.zeros_like(hr), teacher).detach())
    same = method.loss(teacher, lr, hr, teacher)
    assert float(same) == 0 < float(loss.detach())
    loss.backward()
    assert all(bounds.upper.grad is not None for bounds in parts_of(network, TwoBounds))
    assert all(p.grad is None for p in network.parameters() if not p.requires_grad)


def test_a_calibration_keeps_its_rate_on_the_board_and_is_not_swept() -> None:
    plan = make_plan(TwoDQuant2.recipe, "paper", 4)
    assert (plan.iterations, plan.learning_rate, plan.betas) == (4000, 1e-2, (0.9, 0.99))
    equal = make_plan(TwoDQuant2.recipe, "board", 4)
    assert (equal.learning_rate, equal.betas, equal.schedule) == (1e-2, (0.9, 0.99), "cosine")
    assert make_plan(PAMS4.recipe, "board", 4).betas == (0.9, 0.999)
