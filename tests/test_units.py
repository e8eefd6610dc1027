"""Units and quantizers of the first methods: values by hand, and two forms that agree."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.conformance import perturb
from bench.contract import Unsupported
from bench.nn.quantizers import ChannelScaledSign, PlainSign, ShiftedSign, Sign, TwoBaseSign, sign_planes
from bench.nn.unit import RPReLU, Unit, plain_unit
from bench.packed.parity import relative_error

UNITS = {
    "bnn": lambda ci, co: Unit(ci, co, 3, weight=PlainSign(), act=Sign(), norm=nn.BatchNorm2d(co)),
    "norm and shortcut before": lambda ci, co: Unit(
        ci,
        co,
        3,
        weight=ChannelScaledSign(),
        act=Sign(),
        norm=nn.BatchNorm2d(co),
        nonlinearity=nn.PReLU(),
        skip="before",
    ),
    "bias": lambda ci, co: Unit(ci, co, 1, weight=PlainSign(), act=Sign(), bias=True, norm=nn.BatchNorm2d(co)),
    "bbcu": lambda ci, co: Unit(
        ci, co, 3, weight=ChannelScaledSign(), act=ShiftedSign(ci), nonlinearity=RPReLU(co), skip="after"
    ),
    "frb": lambda ci, co: Unit(
        ci, co, 3, weight=TwoBaseSign(), act=ShiftedSign(ci), nonlinearity=nn.PReLU(co), skip="after"
    ),
    "scaled branch": lambda ci, co: Unit(
        ci,
        co,
        3,
        weight=PlainSign(),
        act=Sign(),
        norm=nn.BatchNorm2d(co),
        nonlinearity=nn.PReLU(),
        skip="before",
        branch_scale=0.1,
    ),
    "leaky": lambda ci, co: Unit(
        ci, co, (1, 3), weight=TwoBaseSign(), act=Sign(), nonlinearity=nn.LeakyReLU(0.1), dilation=2
    ),
}


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("channels", [(3, 3), (16, 64)])
def test_deployed_form_equals_training_form(name: str, channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    unit = perturb(UNITS[name](*channels)).eval()
    x = torch.randn(2, channels[0], 9, 11)
    trained = unit(x)
    with torch.no_grad():
        deployed = unit(x)
    assert trained.requires_grad and not deployed.requires_grad
    assert trained.shape == deployed.shape == (2, channels[1], 9, 11)
    assert relative_error(deployed, trained.detach()) < 2e-6


def test_tokens_go_through_a_unit_as_pixels_do() -> None:
    unit = perturb(UNITS["bias"](6, 10)).eval()
    tokens = torch.randn(2, 7, 6)
    assert torch.equal(unit(tokens), unit(tokens.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2))


def test_repeated_shortcut_is_nearest_upsampling_after_the_shuffle() -> None:
    unit = Unit(4, 16, 3, weight=ChannelScaledSign(), act=Sign(), skip="after").eval()
    nn.init.zeros_(unit.weight)  # alpha = 0: only the shortcut is left
    x = torch.randn(1, 4, 5, 6)
    with torch.no_grad():
        up = nn.functional.pixel_shuffle(unit(x), 2)
    assert torch.equal(up, nn.functional.interpolate(x, scale_factor=2, mode="nearest"))


def test_channel_scaled_sign_by_hand() -> None:
    weight = torch.tensor([[[[0.5, -1.5]]], [[[0.0, -2.0]]]], requires_grad=True)
    values = ChannelScaledSign()(weight)
    assert values.flatten().tolist() == [1.0, -1.0, 1.0, -1.0]  # alpha = 1 in both channels; sign(0) = +1
    (values * torch.tensor([[[[3.0, 5.0]]], [[[7.0, 9.0]]]])).sum().backward()
    assert weight.grad.flatten().tolist() == [3.0, 0.0, 7.0, 0.0]  # window |W| <= 1, no factor alpha


def test_two_base_sign_by_hand() -> None:
    weight = torch.tensor([[[[0.9, -0.5, 0.1, -0.1]]]], requires_grad=True)
    values = TwoBaseSign()(weight)
    # alpha1 = 0.4; residuals 0.5, -0.1, -0.3, 0.3 with mean magnitude alpha2 = 0.3
    assert torch.allclose(values.flatten(), torch.tensor([0.7, -0.7, 0.1, -0.1]))
    values.sum().backward()
    assert weight.grad.flatten().tolist() == [2.0, 2.0, 2.0, 2.0]
    levels = TwoBaseSign().export(weight.detach())
    assert levels.integers.flatten(1).tolist() == [[1, -1, 1, -1], [1, -1, -1, 1]]
    assert torch.allclose(levels.scale.flatten(), torch.tensor([0.4, 0.3]))


def test_levels_that_are_no_signs_are_refused() -> None:
    with pytest.raises(Unsupported, match="not 1 binary base"):
        sign_planes(torch.tensor([[[[1.0, -0.5]]]]), 1)
    with pytest.raises(Unsupported, match="not 2 binary base"):
        sign_planes(torch.tensor([[[[1.0, -0.5, 0.7]]]]), 2)


def test_a_threshold_folds_exactly() -> None:
    act = ShiftedSign(3)
    nn.init.normal_(act.shift)
    x = torch.randn(1, 3, 50, 50)
    x[0, :, 0] = -act.shift.detach().squeeze()[:, None]  # exactly at the threshold
    x[0, :, 1] = torch.nextafter(x[0, :, 0], torch.tensor(-9.0))
    threshold = act.export(3).input.threshold.view(-1, 1, 1)
    assert torch.equal(act(x).detach() > 0, x >= threshold)


def test_a_nonlinearity_outside_the_format_still_trains_and_evaluates() -> None:
    unit = Unit(4, 4, 3, weight=PlainSign(), act=Sign(), nonlinearity=nn.GELU()).eval()
    with pytest.raises(Unsupported, match="GELU"):
        unit.spec()
    with torch.no_grad():
        assert torch.isfinite(unit(torch.randn(1, 4, 5, 5))).all()


def test_a_plain_units_weight_and_bias_start_as_pytorchs_own() -> None:
    unit = plain_unit(64, 512, 3, PlainSign(), Sign())
    bound = 576**-0.5
    for parameter in (unit.weight, unit.bias):
        assert 0.95 * bound < float(parameter.detach().abs().max()) <= bound
        assert float(parameter.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.05)
