"""A tiny network and pictures for the training tests; also a user's own file of algorithms."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from bench.contract import Card
from bench.nn.algorithm import Algorithm, Place, Recipe
from bench.nn.backbones import srresnet
from bench.nn.estimators import clip
from bench.nn.quantizers import PlainSign, Sign
from bench.nn.training.console import Silent
from bench.nn.training.data import load_pictures, to_pairs
from bench.nn.training.plan import Plan
from bench.nn.training.run import Job, make_fabric, train
from bench.nn.training.validate import Validation
from bench.nn.unit import Unit
from bench.pictures.images import write_png

SCALE = 2
PLAN = Plan(iterations=12, batch=2, lr_patch=8, learning_rate=1e-3, halve_at=(8,))


class Small(Algorithm):
    """One binary block of 8 channels with batch normalisation, whose statistics a checkpoint has to hold too."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        return Unit(cin, cout, kernel, weight=PlainSign(clip), act=Sign(clip), norm=nn.BatchNorm2d(cout))

    def build(self, backbone: str, scale: int) -> nn.Module:
        return srresnet.build(self, scale, channels=8, blocks=1)

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        noise = 0.01 * lr.new_empty(lr.shape).normal_()  # from torch's generator: a resumed run must continue it
        return super().loss(network, lr + noise, hr, teacher)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        time.sleep(float(os.environ.get("TRAIN_KIT_PAUSE", "0")))


class Full(Small):
    """The same in full precision."""

    card = Card("full", "Full", "train_kit.py:Full", 32, 32, provenance="a test")
    scope = frozenset()


class Calibrated(Small):
    """Post-training: its rate is its own."""

    card = Card("calibrated", "Calibrated", "train_kit.py:Calibrated", 1, 1, provenance="a test")
    recipe = Recipe(4_000, 2, 8, 1e-2, (0.9, 0.99), (), "a test", calibration=True)


class Poisoned(Small):
    """A NaN appears in one weight after a third of the run."""

    def on_progress(self, network: nn.Module, progress: float) -> None:
        if progress > 1 / 3:
            network.body[0].conv2.weight.data[0, 0, 0, 0] = float("nan")


class Exploding(Small):
    """The loss stays finite, its gradient does not."""

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        return (network(lr) - network(lr)).square().sum().sqrt()


class Overflowing(Small):
    """An activation is infinite though every weight is finite."""

    def on_progress(self, network: nn.Module, progress: float) -> None:
        if progress > 1 / 3:
            network.upsampler[0][0].weight.data.fill_(3e38)


def make_pictures(folder: Path, count: int = 3, side: int = 48) -> Path:
    """Smooth random pictures, large enough to be scored."""
    generator = np.random.default_rng(7)
    for i in range(count):
        coarse = generator.integers(0, 256, (side // 4, side // 4, 3)).repeat(4, 0).repeat(4, 1)
        write_png(folder / f"{i}.png", coarse.astype(np.uint8))
    return folder


def run(folder: Path, data: Path, algorithm: type[Algorithm] = Small, plan: Plan = PLAN, **changes: object) -> bool:
    """One training in this process."""
    pictures = load_pictures(data, SCALE)
    validation = Validation(to_pairs(pictures.split(1)[1], 48), SCALE)
    settings = {"validate_every": 4, "checkpoint_every": 3, **changes}
    job = Job(algorithm(), "srresnet", SCALE, "smoke", plan, folder, **settings)
    return train(job, make_fabric(), pictures, validation, Silent())
