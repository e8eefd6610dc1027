"""The train track over tiny networks."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.contract import Card, Cell, Context, Outcome, Settings, Unsupported, UserError
from bench.nn.algorithm import Recipe
from bench.nn.training.plan import make_plan
from bench.nn.training.validate import Validation
from bench.plan.discover import Loader, load_class
from tracks.train import sensitivity as sweep
from tracks.train.setting import Setting, data_of
from tracks.train.track import STEP, TRACK

KIT = Path(__file__).parent / "train_kit.py"
ADAPTERS = {"fp32": f"{KIT}:Full", "small": f"{KIT}:Small", "bicubic": "algorithms.bicubic.adapter:Bicubic"}
SETTINGS = Settings(
    preset="smoke", repeats=3, extra={"train.iterations": 3, "train.batch": 2, "train.patch": 8, "train.data": "sample"}
)


def context(settings: Settings = SETTINGS) -> Context:
    cards: dict[str, Card] = {key: replace(load_class(adapter).card, key=key) for key, adapter in ADAPTERS.items()}
    return Context(settings, Loader(ADAPTERS), cards)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    (cell,) = TRACK.cells([context().cards["fp32"]], ["srresnet"], ["x2"], SETTINGS)
    before = torch.get_num_threads()
    result = TRACK.run(cell, context())
    assert torch.get_num_threads() == before
    return result


def test_every_metric_is_declared_and_there(outcome: Outcome) -> None:
    assert set(outcome.metrics) == {metric.key for metric in TRACK.metrics}
    assert outcome.dataset_sha256 is not None


def test_medians_are_those_of_all_kept_samples(outcome: Outcome) -> None:
    own, full = outcome.samples["step_ms"], outcome.samples["fp32_step_ms"]
    assert len(own) == len(full) == SETTINGS.repeats
    assert outcome.metrics["step_ms"] == statistics.median(own)
    assert outcome.metrics["image_ms"] * STEP[0] == pytest.approx(outcome.metrics["step_ms"])
    ratios = [f / o for f, o in zip(full, own, strict=True)]
    hours = outcome.metrics["step_ms"] * 300_000 * 16 * 32**2 / (STEP[0] * STEP[1] ** 2) / 3.6e6
    assert outcome.metrics["recipe_h"] == pytest.approx(hours)
    assert outcome.metrics["train_speedup"] == pytest.approx(statistics.median(ratios))


def test_the_sweep_is_the_fixed_eight_and_its_spread_the_population_one(outcome: Outcome) -> None:
    runs = outcome.details["runs"]
    assert len({(run["optimizer"], run["learning_rate"], run["schedule"]) for run in runs}) == 8
    scores = [run["psnr"] for run in runs]
    assert outcome.metrics["hyper_sd_db"] == pytest.approx(statistics.pstdev(scores))
    assert outcome.metrics["hyper_mean_db"] == pytest.approx(statistics.mean(scores))
    assert "short_sweep" in outcome.flags  # three iterations teach nothing


def test_runs_that_taught_nothing_are_counted_and_named(outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = outcome.details["runs"]
    names = [f"{run['optimizer']} {run['learning_rate']:g} {run['schedule']}" for run in runs if not run["taught"]]
    assert outcome.details["taught_nothing"] == names and outcome.metrics["taught_nothing"] == len(names) > 0

    setting = Setting(tuple(ADAPTERS.items()), "srresnet", "x2", 0, "cpu", 1, "sample", (2, 8), (4, 2, 8))
    start = [20.0]
    ends = iter([20.05, 20.1, 23.0, 16.0, 20.2, 19.0, 25.0, 20.0])
    monkeypatch.setattr(sweep, "_train", lambda *_: (None, ""))
    monkeypatch.setattr(Validation, "psnr", lambda *_: start.pop() if start else next(ends))
    found, _ = sweep.sensitivity.__wrapped__(setting, "small")
    assert [run.taught for run in found] == [False, True, True, False, True, False, True, False]
    assert str(found[0]) == "adam 0.001 cosine" and "4.0 dB below its start" in found[3].diverged


def test_a_diverged_run_counts_with_bicubics_psnr(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    adapters = tuple({**ADAPTERS, "poisoned": f"{KIT}:Poisoned"}.items())
    setting = Setting(adapters, "srresnet", "x2", 0, "cpu", 1, "sample", (2, 8), (4, 2, 8))
    runs, _ = sweep.sensitivity(setting, "poisoned")
    bicubic = data_of(setting)[1].bicubic()
    assert all("body.0.conv2.weight" in run.diverged and run.psnr == bicubic for run in runs)
    assert not any(run.taught for run in runs)


def test_interpolation_has_nothing_to_train() -> None:
    cell = Cell("train", "bicubic", "none", "x2", "3x2x8-t1")
    with pytest.raises(Unsupported, match="no parameters"):
        TRACK.run(cell, context())


def test_wrong_options_are_refused() -> None:
    cards = list(context().cards.values())
    with pytest.raises(UserError, match=r"train\.batch"):
        TRACK.cells(cards, ["srresnet"], ["x2"], Settings(extra={"train.batch": 0}))
    with pytest.raises(UserError, match="no such folder"):
        TRACK.inputs(Cell("train", "small", "srresnet", "x2", "x"), Settings(extra={"train.data": "nowhere"}))


def test_inputs_name_what_changes_the_numbers() -> None:
    cell = Cell("train", "small", "srresnet", "x2", "x")
    base = TRACK.inputs(cell, SETTINGS)
    assert TRACK.inputs(cell, Settings(preset="smoke", repeats=3)) != base
    assert TRACK.inputs(cell, Settings(seed=1, preset="smoke", repeats=3, extra=SETTINGS.extra)) != base


def test_the_timed_iteration_is_the_boards() -> None:
    plan = make_plan(Recipe(), "board", 4)
    assert (plan.batch, plan.lr_patch) == STEP
