"""QuantSR: a super-net of three depths, what is counted of it, and what is packed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from lowbit_kit import batch
from safetensors.torch import save_file

from algorithms.fp32.adapter import FullPrecision
from algorithms.quantsr.adapter import QuantSR4
from algorithms.quantsr.slimmable import Slimmable
from bench.layer.idle import drop_idle
from bench.nn.algorithm import parts_of, tagged
from bench.nn.build import build_network, load_weights
from bench.nn.complexity import count_network
from bench.packed.pack import load_into, pack, packed_units, save
from bench.packed.parity import check_parity


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
    header = {"algorithm": "quantsr_4", "backbone": "srresnet", "scale": 2}
    save(pack(network), tmp_path / "half", header)
    packed = load_into(QuantSR4().build("srresnet", 2), tmp_path / "half", header)
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


@pytest.mark.parametrize(("backbone", "layers"), [("srresnet", 3), ("edsr", 3)])
def test_quantsr_may_start_from_a_full_precision_tail(tiny: None, backbone: str, layers: int) -> None:
    teacher = build_network(FullPrecision(), backbone, 2, seed=1)
    method = QuantSR4(from_teacher=True)
    network = build_network(method, backbone, 2)
    body = {name: value.clone() for name, value in network.state_dict().items() if name.startswith("body.0.")}
    assert method.needs_teacher and method.recipe.from_teacher and not QuantSR4().needs_teacher
    assert method.take_over(network, teacher) == 2 * layers
    theirs = teacher.state_dict()
    taken = [name for name in theirs if name.startswith(("upsampler.", "tail."))]
    assert taken and all(torch.equal(network.state_dict()[name], theirs[name]) for name in taken)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in body.items())
    if backbone == "edsr":
        assert torch.equal(network.body[-1].weight, teacher.body[-1].weight)
