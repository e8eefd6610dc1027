"""Multi-bit methods: structure, losses, schedules, and the conformance kit on networks of a few channels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

import algorithms.cadyq
import algorithms.dorefa
import algorithms.pact
import algorithms.pams
import algorithms.quantsr
import algorithms.rtn
import algorithms.tflite
from algorithms.cadyq.adapter import CADyQ
from algorithms.dorefa.adapter import DoReFa1, DoReFa4
from algorithms.fp32.adapter import FullPrecision
from algorithms.pact.adapter import PACT4
from algorithms.pams.adapter import PAMS4, PAMS8, PAMSInt4
from algorithms.quantsr.adapter import QuantSR4
from algorithms.quantsr.slimmable import Slimmable
from algorithms.rtn.adapter import RTN, TernaryAct, TernaryWeight
from algorithms.tflite.adapter import TFLite8
from bench.conformance import CHECKS, Subject, perturb
from bench.discover import load_class
from bench.nn.algorithm import Algorithm, parts_of, tagged
from bench.nn.backbones import srresnet
from bench.nn.build import build_network, load_weights
from bench.nn.complexity import count_network
from bench.nn.uniform_act import PactRange, PamsRange, RunningRange
from bench.nn.unit import Unit
from bench.nouns import Card, Unsupported
from bench.packed.idle import drop_idle
from bench.packed.pack import load_into, pack, packed_units, save
from bench.packed.parity import check_parity

PACKAGES = ("cadyq", "dorefa", "pact", "pams", "quantsr", "rtn", "tflite")
CARDS: dict[str, Card] = {
    card.key: card
    for package in (getattr(algorithms, name) for name in PACKAGES)
    for card in getattr(package, "CARDS", None) or (package.CARD,)
}
REFUSES = {"pams_2", "pams_4", "pams_8", "cadyq"}
"""Methods that no packed format of fixed integers holds"""


def load(key: str) -> Algorithm:
    return load_class(CARDS[key].adapter)()


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SRResNet of 4 blocks and 8 channels, on one thread: layers this small gain nothing from more."""
    monkeypatch.setattr(srresnet, "build", partial(srresnet.build, channels=8, blocks=4))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def batch(scale: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, 3, 9, 11, generator=generator), torch.rand(2, 3, 9 * scale, 11 * scale, generator=generator)


def started(network: nn.Module, image: Tensor) -> nn.Module:
    """After the first training batch, which sets ranges, and a random move of every parameter; for evaluation."""
    network.train()(image)
    return perturb(network).eval()


def test_the_bits_a_user_can_choose() -> None:
    bits = {key: (card.bits_w, card.bits_a) for key, card in CARDS.items()}
    assert {key for key, (w, a) in bits.items() if w == a} == set(CARDS)
    assert {w for key, (w, _) in bits.items() if key.startswith("dorefa_")} == {1, 2, 4, 8}
    assert {w for key, (w, _) in bits.items() if key.startswith("pams_int")} == {2, 4, 8}
    assert {"quantsr_2", "quantsr_4", "pact_2", "pact_4", "tflite_4", "tflite_8", "rtn", "cadyq"} <= set(bits)
    assert all(load_class(card.adapter).card is card for card in CARDS.values())


@pytest.mark.parametrize("key", CARDS)
def test_conformance_kit_on_a_tiny_network(tiny: None, key: str) -> None:
    subject = Subject(load(key), "srresnet")
    subject.__dict__["network"] = started(subject.fresh(), subject.image)
    for check in CHECKS:
        if check.__name__ != "check_card":  # one process an import; test_conformance does it
            check(subject)


@pytest.mark.parametrize("key", CARDS)
def test_every_body_layer_is_claimed_at_the_cards_bits(key: str) -> None:
    algorithm = load(key)
    for scale in (2, 3, 4):
        with torch.device("meta"):
            network = algorithm.build("srresnet", scale)
        low = [tag for _, module, tag in tagged(network) if isinstance(module, Unit)]
        count = 64 if key.startswith("quantsr") else 32
        assert len(low) == count and {tag.bits_w for tag in low} == {algorithm.card.bits_w}


@pytest.mark.parametrize("key", CARDS)
def test_what_packs_and_what_says_why_not(tiny: None, key: str) -> None:
    units = list(parts_of(load(key).build("srresnet", 2).eval(), Unit))
    if key in REFUSES:
        with pytest.raises(Unsupported, match=r"no integer grid holds|chosen for each image"):
            [unit.spec() for unit in units]
    else:
        assert all(unit.spec().weight_bits == CARDS[key].bits_w for unit in units)


# PAMS


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
    slow, fast = algorithm.parameter_groups(network, 1e-4)
    assert fast["lr"] == pytest.approx(1e-2) and {id(p) for p in fast["params"]} == {id(act.alpha) for act in acts}
    assert len(slow["params"]) + len(fast["params"]) == len(list(network.parameters()))


# QuantSR


@pytest.mark.parametrize(("depth", "one_more", "expected"), [
    ("full", False, 32), ("half", False, 16), ("quarter", False, 8), ("half", True, 17), ("quarter", True, 9),
])  # fmt: skip
@pytest.mark.parametrize("backbone", ["srresnet", "edsr"])
def test_quantsr_runs_a_super_net_at_three_depths(backbone: str, depth: str, one_more: bool, expected: int) -> None:
    with torch.device("meta"):
        network = QuantSR4(depth, one_more).build(backbone, 2)
    (body,) = parts_of(network, Slimmable)
    assert len(body) == 32 and len(body.kept()) == expected


def test_quantsr_counts_what_runs(tiny: None) -> None:
    macs = {}
    for depth in ("full", "half", "quarter"):
        count = count_network(QuantSR4(depth).build("srresnet", 2), (16, 16))
        macs[depth] = sum(layer.macs for layer in count.layers if not layer.full_precision)
    assert macs["full"] == 2 * macs["half"] == 4 * macs["quarter"] == 8 * 2 * 9 * 8 * 8 * 256


def test_quantsr_keeps_the_smallest_shortcuts_and_scales_what_it_skips(tiny: None) -> None:
    (body,) = parts_of(QuantSR4().build("srresnet", 2).eval(), Slimmable)
    assert len(body) == 8 and body.kept() == {0, 1, 2, 3}  # all equal: the first ones
    shortcuts = [1.1, 0.9, 1.0, 0.7, 1.2, 0.8, 1.3, 0.95]
    for block, value in zip(body, shortcuts, strict=True):
        block.learned_shortcut.data.fill_(value)
    assert body.kept() == {1, 3, 5, 7}
    x = torch.randn(1, 8, 6, 6)
    expected = x
    for index, (block, value) in enumerate(zip(body, shortcuts, strict=True)):
        branch = block.conv2(F.relu(block.conv1(expected))) if index in {1, 3, 5, 7} else 0
        expected = value * expected + branch
    torch.testing.assert_close(body(x), expected)


def test_quantsr_packs_what_runs(tiny: None, tmp_path: Path) -> None:
    network = QuantSR4().build("srresnet", 2).eval()
    (body,) = parts_of(network, Slimmable)
    for block, value in zip(body, [1.1, 0.9, 1.0, 0.7, 1.2, 0.8, 1.3, 0.95], strict=True):
        block.learned_shortcut.data.fill_(value)
    save(pack(network), tmp_path / "half", {"algorithm": "quantsr_4", "backbone": "srresnet", "scale": 2})
    packed = load_into(QuantSR4().build("srresnet", 2), tmp_path / "half")
    assert sorted(packed_units(packed)) == [f"body.0.{index}.conv{place}" for index in (1, 3, 5, 7) for place in (1, 2)]
    assert not any(".conv" in key and key.endswith(".weight") for key in packed.body.state_dict())
    parity = check_parity(network, packed, torch.rand(1, 3, 9, 7))
    assert parity.passed and parity.layers == 8
    assert len(body) == 8 and all(hasattr(block, "conv1") for block in body), "the trained network stays whole"


def test_quantsr_reads_weights_of_what_runs(tiny: None, tmp_path: Path) -> None:
    network, twin = QuantSR4().build("srresnet", 2).eval(), QuantSR4().build("srresnet", 2).eval()
    (body,) = parts_of(network, Slimmable)
    body[0].learned_shortcut.data.fill_(2.0)
    lr = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        expected = network(lr)
        drop_idle(network)
        assert body.kept() == {1, 2, 3, 4} and torch.equal(network(lr), expected)
        save_file(network.state_dict(), tmp_path / "half.safetensors")
        load_weights(twin, tmp_path / "half.safetensors")
        assert torch.equal(twin(lr), expected)


def test_quantsr_trains_all_depths_at_once(tiny: None) -> None:
    algorithm = QuantSR4()
    lr, hr = batch()
    network = algorithm.build("srresnet", 2)
    algorithm.loss(network.train(), lr, hr)
    (body,) = parts_of(network.eval(), Slimmable)
    losses = []
    for depth in ("full", "half", "quarter"):
        body.depth = depth
        losses.append(F.l1_loss(network(lr), hr).item())
    assert len(set(losses)) == 3
    body.depth = "half"
    assert algorithm.loss(network, lr, hr).item() == pytest.approx(sum(losses) / 3, rel=1e-6)
    assert body.depth == "half"


def test_quantsr_on_a_transformer_quantizes_linear_layers() -> None:
    with torch.device("meta"):
        network = QuantSR4().build("swinir_s", 2)
    places = [tag.place for _, _, tag in tagged(network) if not tag.full_precision]
    assert places.count("linear") == 4 * 6 * 4 and places.count("body") == 4
    assert not list(parts_of(network, Slimmable))
    assert QuantSR4(after_body=True).scope == {"body", "linear", "after_body"} and "after_body" not in QuantSR4.scope


@pytest.mark.parametrize("kind", [CADyQ, PAMS8])
def test_a_teachers_weights_fit_every_convolution(tiny: None, kind: type[Algorithm]) -> None:
    teacher = build_network(FullPrecision(), "srresnet", 2).state_dict()
    mine = kind().build("srresnet", 2).state_dict()
    assert kind.recipe.from_teacher and all(mine[name].shape == value.shape for name, value in teacher.items())


# The rest


def test_one_bit_dorefa_scales_signs_by_layer_or_by_channel() -> None:
    weight = torch.tensor([[0.1, -0.3], [0.5, 0.7]]).view(2, 2, 1, 1)
    layer, channel = (DoReFa1(per_channel=p).conv(2, 2, 1, place="body").quantize_weight for p in (False, True))
    torch.testing.assert_close(layer(weight).flatten(), torch.tensor([0.4, -0.4, 0.4, 0.4]))
    torch.testing.assert_close(channel(weight).flatten(), torch.tensor([0.2, -0.2, 0.6, 0.6]))
    assert isinstance(DoReFa1().nonlinearity(8), nn.Hardtanh) and isinstance(DoReFa4().nonlinearity(8), nn.ReLU)


@pytest.mark.parametrize(("backbone", "height"), [("srresnet", 1.0), ("edsr", 255.0)])
def test_pact_starts_at_the_images_range_and_pays_for_height(backbone: str, height: float) -> None:
    algorithm = PACT4(decay=0.25)
    network = algorithm.build(backbone, 2).eval()
    acts = list(parts_of(network, PactRange))
    assert len(acts) == 32 and {act.alpha.item() for act in acts} == {height}
    lr, hr = (x[..., :4, :4] for x in batch(1))
    hr = F.interpolate(hr, scale_factor=2)
    acts[0].alpha.data.mul_(3)
    with torch.no_grad():
        assert algorithm.loss(network, lr, hr).item() == pytest.approx(
            F.l1_loss(network(lr), hr).item() + 0.25 * (31 + 9), rel=1e-5
        )


def test_tflite_watches_before_it_quantizes(tiny: None) -> None:
    algorithm = TFLite8()
    network = algorithm.build("srresnet", 2)
    acts = list(parts_of(network, RunningRange))
    for progress, expected in ((0.0, True), (0.099, True), (0.1, False)):
        algorithm.on_progress(network, progress)
        assert all(act.delayed is expected for act in acts)
    assert TFLite8(affine_weights=True).conv(8, 8, 3, place="body").quantize_weight.grid(torch.ones(1, 1, 1, 1))[1] == 0


def test_rtn_by_hand() -> None:
    quantizer = TernaryWeight()
    weight = torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 5, 1, 1)  # deviation sqrt(5): -1.34, -0.45, 0, ...
    torch.testing.assert_close(quantizer.eval()(weight).flatten(), torch.tensor([-3.0, 0, 0, 0, 3]))
    assert not quantizer.initialised
    quantizer.train()(weight)
    assert quantizer.scale.item() == pytest.approx(3)
    quantizer.offset.data.fill_(0.5)
    quantizer(weight * 2)
    levels = quantizer.export(weight)
    assert levels.integers.flatten(1).tolist() == [[-1, 0, 0, 0, 1], [1] * 5]
    torch.testing.assert_close(levels.scale.flatten(), torch.tensor([3.0, 1.5]))
    act = TernaryAct()
    y = act.train()(torch.tensor([-2.0, -0.9, 0.0, 1.1]).view(1, 1, 1, 4))  # mean 1: reach 2, thresholds +-1
    torch.testing.assert_close(y.flatten(), torch.tensor([-2.0, 0, 0, 2]))
    act.scale.data.fill_(-0.7)
    y = act(torch.tensor([-5.0, 1.2]).view(1, 1, 1, 2))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.7, -0.7]))
    assert act.export(1).step == pytest.approx(-0.7) and act.export(1).input.step == pytest.approx(2)


def test_rtn_layer_equals_its_planes() -> None:
    unit = RTN().conv(6, 4, 3, place="body").train()
    unit(torch.randn(1, 6, 5, 5))
    with torch.no_grad():
        unit.quantize_weight.offset.fill_(-0.3)
        unit.quantize_act.scale.fill_(0.4)
    unit.eval()
    x = torch.randn(2, 6, 7, 8)
    with torch.no_grad():
        torch.testing.assert_close(unit(x), unit.differentiable(x, None, None), rtol=1e-5, atol=1e-5)
        assert unit.quantize_weight(unit.weight).unique().numel() == 3
