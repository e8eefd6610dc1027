"""The pieces of training: plans and patches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_kit import SCALE, make_pictures

from bench.contract import UserError
from bench.nn.algorithm import Recipe
from bench.nn.training.data import Sampler, load_pictures
from bench.nn.training.plan import PRESETS, make_plan
from bench.pictures.images import write_png

RECIPE = Recipe(iterations=300_000, batch=32, lr_patch=48, learning_rate=2e-4, halve_at=(150_000, 250_000))


def test_the_paper_preset_is_the_recipe_itself() -> None:
    plan = make_plan(RECIPE, "paper", 4)
    for name in ("iterations", "batch", "lr_patch", "learning_rate", "halve_at", "betas"):
        assert getattr(plan, name) == getattr(RECIPE, name)


@pytest.mark.parametrize("preset", [name for name, budget in PRESETS.items() if budget and not budget.equal])
def test_a_preset_keeps_the_kind_and_the_proportions(preset: str) -> None:
    plan = make_plan(RECIPE, preset, 4)
    assert (plan.learning_rate, plan.betas, plan.optimizer) == (RECIPE.learning_rate, RECIPE.betas, "adam")
    assert [at / plan.iterations for at in plan.halve_at] == pytest.approx([0.5, 5 / 6], abs=1 / plan.iterations)
    rates = [plan.rate(i) for i in range(plan.iterations)]
    assert (rates[0], rates[plan.iterations * 2 // 3], rates[-1]) == (1.0, 0.5, 0.25)
    assert make_plan(replace(RECIPE, batch=4, lr_patch=8), preset, 4).budget == plan.budget  # the same for all


def test_overrides_and_the_cosine_schedule() -> None:
    plan = make_plan(RECIPE, "quick", 2, iterations=100, batch=None, schedule="cosine")
    assert (plan.iterations, plan.batch, plan.halve_at) == (100, 8, (50, 83))
    assert (plan.rate(0), plan.rate(50)) == (1.0, pytest.approx(0.5))
    assert 0 < plan.rate(99) < 0.001
    with pytest.raises(UserError, match="referenec"):
        make_plan(RECIPE, "referenec", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"), count=2, side=24)


def test_patches_are_pairs_of_one_place_in_all_eight_symmetries(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:24, 0:20].astype(np.uint8) // SCALE
    write_png(tmp_path / "place.png", np.stack([rows, columns, rows * 0], axis=2))
    pictures = load_pictures(tmp_path, SCALE)
    low = pictures.lr[0].copy()
    low[..., 0], low[..., 1] = np.mgrid[0:12, 0:10]  # each pixel names its place, in both resolutions
    sampler = Sampler(replace(pictures, lr=(low,)), batch=200, lr_patch=5, seed=0)
    lr, hr = sampler.draw()
    assert lr.shape == (200, 3, 5, 5) and hr.shape == (200, 3, 10, 10)
    assert torch.equal(hr[:, :2, ::2, ::2], lr[:, :2])
    steps = {tuple((p[:2, 0, 1].int() - p[:2, 0, 0]).tolist() + (p[:2, 1, 0].int() - p[:2, 0, 0]).tolist()) for p in lr}
    assert len(steps) == 8
    corners = {(int(p[0].min()), int(p[1].min())) for p in lr}
    assert corners == {(y, x) for y in range(8) for x in range(6)}  # every position, the last ones included


def test_a_restored_sampler_goes_on_with_the_next_batch(folder: Path) -> None:
    pictures = load_pictures(folder, SCALE)
    sampler, other = (Sampler(pictures, 3, 6, seed) for seed in (0, 1))
    sampler.draw()
    state = json.loads(json.dumps(sampler.state()))
    expected = sampler.draw()
    other.restore(state)
    assert all(torch.equal(a, b) for a, b in zip(expected, other.draw(), strict=True))


def test_unreadable_empty_and_small_pictures(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        load_pictures(tmp_path / "nowhere", SCALE)
    with pytest.raises(UserError, match="holds no picture"):
        load_pictures(tmp_path, SCALE)
    with pytest.raises(UserError, match="as large as a patch"):
        Sampler(load_pictures(folder, SCALE), 1, 13, 0)
    make_pictures(tmp_path, count=3)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"1\.png"):
        load_pictures(tmp_path, SCALE)
