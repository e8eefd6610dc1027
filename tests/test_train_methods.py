"""Every method goes on after a crash as if nothing had happened: none keeps state outside its checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train_kit import SCALE, make_pictures

import bench.nn.backbones
from bench.nn.algorithm import Algorithm
from bench.nn.backbones import srresnet
from bench.nn.build import build_network
from bench.nn.training.console import Silent
from bench.nn.training.data import Pictures, Sampler, load_pictures, to_pairs
from bench.nn.training.plan import Plan
from bench.nn.training.run import WEIGHTS, Job, make_fabric, train
from bench.nn.training.step import Stepper
from bench.nn.training.validate import Validation
from bench.plan.discover import discover

REGISTRY = discover()
METHODS = {
    card.adapter.partition(":")[0]: key
    for key, card in REGISTRY.cards.items()
    if not card.backbone_free and "srresnet" in REGISTRY.loader(key).backbones
}
"""One of each module's methods that SRResNet can carry; its variants differ in bits."""
PLAN = Plan(iterations=6, batch=2, lr_patch=8, learning_rate=1e-3, halve_at=(4,))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return load_pictures(make_pictures(tmp_path_factory.mktemp("pictures")), SCALE)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two blocks of 16 channels in the place of any backbone."""
    torch.set_num_threads(1)

    def build(algorithm: Algorithm, backbone: str, scale: int) -> torch.nn.Module:
        return srresnet.build(algorithm, scale, channels=16, blocks=2)

    monkeypatch.setattr(bench.nn.backbones, "build_backbone", build)


class Crash(Exception):
    pass


def run(key: str, pictures: Pictures, folder: Path, resume: bool = False) -> bytes:
    algorithm = REGISTRY.loader(key)
    teacher = build_network(REGISTRY.loader("fp32"), "srresnet", SCALE, 5) if algorithm.needs_teacher else None
    validation = Validation(to_pairs(pictures.split(1)[1], 48), SCALE)
    job = Job(algorithm, "srresnet", SCALE, "smoke", PLAN, folder, teacher, resume, 3, 2)
    train(job, make_fabric(), pictures, validation, Silent())
    return (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("key", METHODS.values())
def test_a_crash_changes_nothing(key: str, pictures: Pictures, tmp_path: Path) -> None:
    step = Stepper.step

    def crashing(self: Stepper, iteration: int) -> float:
        if iteration == 5:
            raise Crash
        return step(self, iteration)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Stepper, "step", crashing)
        run(key, pictures, tmp_path / "crashed")
    assert run(key, pictures, tmp_path / "crashed", resume=True) == run(key, pictures, tmp_path / "straight")


@pytest.mark.parametrize("key", METHODS.values())
def test_bfloat16_trains_every_method(key: str, pictures: Pictures) -> None:
    algorithm = REGISTRY.loader(key)
    losses = {}
    for precision in ("fp32", "bf16"):
        network = build_network(algorithm, "srresnet", SCALE, 0)
        teacher = build_network(REGISTRY.loader("fp32"), "srresnet", SCALE, 5) if algorithm.needs_teacher else None
        sampler = Sampler(pictures, PLAN.batch, PLAN.lr_patch, PLAN.seed)
        stepper = Stepper(make_fabric(precision=precision), algorithm, network, PLAN, sampler, teacher)
        losses[precision] = [stepper.step(iteration) for iteration in range(3)]
        assert all(value.dtype == torch.float32 for value in network.parameters())
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)


def test_a_recipe_may_start_from_the_teacher() -> None:
    teacher = build_network(REGISTRY.loader("fp32"), "srresnet", SCALE, 5)
    network = build_network(REGISTRY.loader("pams_4"), "srresnet", SCALE, 0)
    assert REGISTRY.loader("pams_4").take_over(network, teacher) > 0
    mine, theirs = network.state_dict(), teacher.state_dict()
    shared = mine.keys() & theirs.keys()
    assert {"body.0.conv1.weight", "head.0.weight"} <= shared
    assert all(torch.equal(mine[name], theirs[name]) for name in shared)
