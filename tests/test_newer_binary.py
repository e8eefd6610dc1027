"""Binary methods of 2022 to 2024: their values and gradients by hand, and that they run packed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from algorithms.adabin.adapter import AdaBin
from algorithms.adabin.unit import AdaptiveUnit
from algorithms.bisr.adapter import AffineSign, BiSR, threshold_of
from algorithms.dabc.adapter import DABC, ImageScaledUnit
from algorithms.reste.adapter import GradedLayerSign, Power, ReSTE
from algorithms.scales.adapter import SCALES, RescaledUnit
from bench.conformance import perturb
from bench.layer.reference import quantize_input
from bench.layer.spec import LayerSpec
from bench.nn.algorithm import Algorithm, parts_of
from bench.nn.build import build_network
from bench.nn.estimators import poly, sign
from bench.nn.unit import Unit
from bench.packed.pack import pack, packed_units
from bench.packed.parity import check_parity


@pytest.mark.parametrize("method", [AdaBin(), BiSR(), DABC(), ReSTE(), SCALES()], ids=lambda m: m.card.key)
@torch.no_grad()
def test_every_binary_convolution_runs_packed(tiny: None, method: Algorithm) -> None:
    network = perturb(build_network(method, "srresnet", 2)).eval()
    packed = pack(network)
    assert len(packed_units(packed)) == 8
    parity = check_parity(network, packed, torch.rand(1, 3, 17, 23).contiguous(memory_format=torch.channels_last))
    assert parity.passed, parity.reason()


# BiSR-Conv


@torch.no_grad()
def test_a_threshold_decides_as_gain_and_offset_do_to_the_last_float() -> None:
    torch.manual_seed(0)
    gain = torch.cat([torch.randn(40), torch.tensor([0.0, 0.0, -0.0, 1e-20, -1e-20, 1.0])])
    offset = torch.cat([torch.randn(40), torch.tensor([0.5, -0.5, 0.0, 1.0, 1.0, 0.0])])
    rule = threshold_of(gain, offset)
    steps = [rule.threshold.clone()]
    for _ in range(6):
        steps.insert(0, torch.nextafter(steps[0], torch.tensor(-torch.inf)))
        steps.append(torch.nextafter(steps[-1], torch.tensor(torch.inf)))
    near = torch.stack([*steps, *torch.randn(50, 46)]).nan_to_num(0, 3e38, -3e38)
    spec = LayerSpec(rule, torch.ones(1, 1, 46, 1, 1, dtype=torch.int8), None)
    got = quantize_input(spec, near.t()[None, :, :, None])[0, :, :, 0].t()
    assert torch.equal(got > 0, gain * near + offset >= 0)


def test_affine_sign_differentiates_as_a_tanh_whose_steepness_learns() -> None:
    torch.manual_seed(0)
    act = perturb(AffineSign(3))
    act.steepness.data.fill_(1.7)
    x = torch.randn(2, 3, 4, 5, requires_grad=True)
    upstream = torch.randn(2, 3, 4, 5)
    y = act(x)
    (y * upstream).sum().backward()
    z = (act.gain * x + act.offset).detach()
    slope = 1 - torch.tanh(1.7 * z) ** 2
    assert torch.equal(y, torch.where(z >= 0, 1.0, -1.0))
    torch.testing.assert_close(x.grad, upstream * 1.7 * slope * act.gain.detach())
    torch.testing.assert_close(act.steepness.grad, (upstream * z * slope).sum().view(1))
    torch.testing.assert_close(act.offset.grad.flatten(), (upstream * 1.7 * slope).sum((0, 2, 3)))


# ReSTE


def test_power_is_the_slope_of_the_bent_sign() -> None:
    x = torch.tensor([-1.6, -1.5, -0.7, -0.1, -0.05, 0.0, 0.1, 0.11, 1.0, 1.5, 1.51], dtype=torch.float64)
    assert Power(1.0)(x).tolist() == pytest.approx([0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
    slope, h = Power(3.0)(x), 1e-6
    for value, at in zip(slope.tolist(), x.tolist(), strict=True):
        bent = [np.sign(v) * abs(v) ** (1 / 3) for v in (at - h, at + h)]
        secant = 0.1 ** (1 / 3) / 0.1
        expected = 0 if abs(at) > 1.5 else secant if abs(at) <= 0.1 else (bent[1] - bent[0]) / (2 * h)
        assert value == pytest.approx(expected, rel=1e-5)


def test_reste_bends_over_the_training(tiny: None) -> None:
    method = ReSTE()
    network = build_network(method, "srresnet", 2)
    seen = []
    for progress in (0.0, 0.5, 1.0):
        method.on_progress(network, progress)
        units = list(parts_of(network, Unit))
        (exponent,) = {q.estimator.exponent for u in units for q in (u.quantize_weight, u.quantize_act)}
        seen.append(exponent)
    assert seen == pytest.approx([1, 1 + 2 * (1 - 0.5**0.5), 3])


def test_restes_scale_takes_part_in_the_gradient() -> None:
    torch.manual_seed(0)
    weight, upstream = torch.randn(4, 3, 3, 3).requires_grad_(), torch.randn(4, 3, 3, 3)
    values = GradedLayerSign(Power())(weight)
    (values * upstream).sum().backward()
    signs, scale = torch.sign(weight.detach()), weight.detach().abs().mean()
    through_scale = (upstream * signs).sum() * signs / weight.numel()
    expected = upstream * scale * Power()(weight.detach()) + through_scale
    torch.testing.assert_close(weight.grad, expected)
    assert torch.equal(values.detach(), signs * scale)


# DABC and SCALES


@torch.no_grad()
def test_dabc_scales_by_what_an_images_channels_look_like() -> None:
    unit = perturb(ImageScaledUnit(64, 3)).eval()
    assert sum(p.numel() for p in unit.neighbours.parameters()) == 9
    x = torch.randn(2, 64, 6, 7)
    z = (x + unit.shift).numpy()
    statistics = np.stack([np.abs(z).mean((2, 3)), z.mean((2, 3)), z.std((2, 3))], 1)
    padded = np.pad(statistics, ((0, 0), (0, 0), (1, 1)))
    weight = unit.neighbours.weight[0].numpy()
    logits = sum((padded[:, :, tap : tap + 64] * weight[None, :, tap : tap + 1]).sum(1) for tap in range(3))
    scale = torch.from_numpy(1 / (1 + np.exp(-logits))).float()[..., None, None]
    conv = F.conv2d(torch.sign(x + unit.shift), unit.unit.quantize_weight(unit.unit.weight), padding=1)
    torch.testing.assert_close(unit(x), x + unit.bend(conv * scale), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_scales_shifts_and_rescales_by_the_image() -> None:
    unit = perturb(RescaledUnit(8, 3)).eval()
    x = torch.randn(2, 8, 6, 7)
    hidden = F.relu(unit.channels[1](x.mean((2, 3), keepdim=True)))
    both = unit.channels[3](hidden)
    conv = F.conv2d(torch.sign(x + both[:, :8]), unit.unit.quantize_weight(unit.unit.weight), padding=1)
    pixels = torch.sigmoid((unit.pixels.weight.view(1, 8, 1, 1) * x).sum(1, keepdim=True) + unit.pixels.bias)
    torch.testing.assert_close(unit(x), x + conv * pixels * torch.sigmoid(both[:, 8:]), atol=1e-5, rtol=1e-5)


# AdaBin


@pytest.mark.parametrize("size", [(6, 7), (2, 1), (3, 3)])
def test_adabin_multiplies_two_free_values_by_two_free_values(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    unit = perturb(AdaptiveUnit(4, 5, 3)).eval()
    for distance, center in ((1.3, 0.4), (-0.7, -0.2)):
        unit.unit.quantize_act.distance.data.fill_(distance)
        unit.center.data.fill_(center)
        x = torch.randn(2, 4, *size)
        weight = unit.unit.weight
        mean, spread = weight.mean((1, 2, 3), keepdim=True), weight.std((1, 2, 3), keepdim=True, correction=0)
        weight = torch.where(weight >= mean, spread, -spread) + mean
        inputs = distance * (torch.where((x - center) / distance >= 0, 1.0, -1.0) + center)
        y = unit.norm(F.conv2d(inputs, weight, padding=1))
        expected = torch.where(y >= 0, unit.bend.positive * y, unit.bend.negative * y)
        torch.testing.assert_close(unit(x), expected, atol=1e-5, rtol=1e-5)
        with torch.no_grad():
            torch.testing.assert_close(unit(x), expected, atol=1e-5, rtol=1e-5)


def test_adabins_gradients_are_those_of_the_whole_expression() -> None:
    torch.manual_seed(0)
    unit = perturb(AdaptiveUnit(4, 4, 3)).train()
    unit.center.data.fill_(0.3)
    x, upstream = torch.randn(2, 4, 6, 7, requires_grad=True), torch.randn(2, 4, 6, 7)
    own = [x, unit.unit.weight, unit.center, unit.unit.quantize_act.distance]
    got = torch.autograd.grad((unit(x) * upstream).sum(), own)
    weight = unit.unit.quantize_weight(unit.unit.weight)
    distance, center = unit.unit.quantize_act.distance, unit.center
    inputs = distance * (sign((x - center) / distance, poly) + center)
    y = unit.norm(F.conv2d(inputs, weight, padding=1)) + x
    expected = torch.autograd.grad((unit.bend(y) * upstream).sum(), own)
    for mine, whole in zip(got, expected, strict=True):
        torch.testing.assert_close(mine, whole, atol=1e-4, rtol=1e-4)
