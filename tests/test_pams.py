"""PAMS: its blocks, its transfer loss, its ranges; what it shares with CADyQ, which grew from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lowbit_kit import batch
from torch import Tensor

from algorithms.cadyq.adapter import CADyQ
from algorithms.fp32.adapter import FullPrecision
from algorithms.pams.adapter import PAMS4, PAMS8, PAMSInt4
from bench.nn.algorithm import Algorithm, parts_of
from bench.nn.build import build_network
from bench.nn.uniform_act import PamsRange


def test_a_published_pams_block_feeds_its_first_convolution_unquantized() -> None:
    published, integer = (kind().block(8) for kind in (PAMS4, PAMSInt4))
    assert [published.conv1.bench_tag.bits_a, published.conv2.bench_tag.bits_a] == [32, 4]
    assert [integer.conv1.bench_tag.bits_a, integer.conv2.bench_tag.bits_a] == [4, 4]
    x = torch.randn(1, 8, 6, 6)
    seen: dict[str, Tensor] = {}
    for name, block in (("published", published), ("integer", integer)):
        block.conv1.register_forward_pre_hook(lambda module, args, name=name: seen.update({name: args[0]}))
        y = block.eval()(x)
        branch = block.conv2(F.relu(block.conv1(seen[name])))
        torch.testing.assert_close(y, block.act_in(x) + block.act_out(branch))
    assert torch.equal(seen["published"], x) and seen["integer"].unique().numel() <= 15


def test_structured_transfer_against_its_formula(tiny: None) -> None:
    lr, hr = batch()
    student, teacher = build_network(PAMS8(), "srresnet", 2), build_network(FullPrecision(), "srresnet", 2).eval()
    student.eval()
    with torch.no_grad():
        pixels = 255 * np.abs(student(lr).numpy() - hr.numpy()).mean()
        maps = []
        for network in (student, teacher):
            energy = (network.body(network.head(lr)).double().numpy() ** 2).sum(1).reshape(2, -1)
            maps.append(energy / np.linalg.norm(energy, axis=1, keepdims=True))
        code, paper = (PAMS8(paper_transfer=p).loss(student, lr, hr, teacher).item() for p in (False, True))
        alone = PAMS8().loss(student, lr, hr).item()
    difference = maps[0] - maps[1]
    assert alone == pytest.approx(pixels, rel=1e-5)
    assert code == pytest.approx(pixels + 1e3 * (difference**2).mean(), rel=1e-5)
    assert paper == pytest.approx(pixels + 1e3 * np.linalg.norm(difference, axis=1).mean(), rel=1e-5)
    assert code > 1.0001 * alone


def test_pams_ranges_calibrate_in_the_first_epoch_and_learn_faster(tiny: None) -> None:
    algorithm = PAMS8()
    network = algorithm.build("srresnet", 2)
    acts = list(parts_of(network, PamsRange))
    assert len(acts) == 3 * 4
    for progress, expected in ((0.0, True), (0.033, True), (0.034, False), (0.9, False)):
        algorithm.on_progress(network, progress)
        assert all(act.calibrating is expected for act in acts)
    for image_range, rate in ((1.0, 1e-2 / 255), (130.0, 1e-2 * 130 / 255), (255.0, 1e-2)):
        network.image_range = image_range
        slow, fast = algorithm.parameter_groups(network, 1e-4)
        assert slow["lr"] == 1e-4 and fast["lr"] == pytest.approx(rate)
    assert {id(p) for p in fast["params"]} == {id(act.alpha) for act in acts}
    assert len(slow["params"]) + len(fast["params"]) == len(list(network.parameters()))


def test_the_official_start_of_pams_does_not_clip_while_it_calibrates() -> None:
    x = torch.linspace(-2, 2, 9).view(1, 1, 3, 3).repeat(2, 1, 1, 1) * torch.tensor([0.5, 1.5]).view(2, 1, 1, 1)
    act = PamsRange(4, decay=0.0).train()
    assert float(act(x).detach().abs().max()) == pytest.approx(3, abs=2 / 14) and float(act.alpha.detach()) == 2
    act.calibrating = False
    assert float(act(x).detach().abs().max()) == pytest.approx(2)
    assert float(PamsRange(4).train()(x).detach().abs().max()) == pytest.approx(2)


# QuantSR


@pytest.mark.parametrize("kind", [CADyQ, PAMS8])
def test_a_teachers_weights_fit_every_convolution(tiny: None, kind: type[Algorithm]) -> None:
    teacher = build_network(FullPrecision(), "srresnet", 2).state_dict()
    mine = kind().build("srresnet", 2).state_dict()
    assert kind.recipe.from_teacher and all(mine[name].shape == value.shape for name, value in teacher.items())


# The rest
