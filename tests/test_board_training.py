"""The board's training: one recipe, a swept learning rate, equal starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from train_kit import Exploding, Small, make_pictures

from bench.app.train import main
from bench.contract import Unsupported, UserError
from bench.nn.algorithm import ALIGNMENT, parts_of
from bench.nn.build import build_network
from bench.nn.starts import STARTS
from bench.nn.training import sweep as sweeping
from bench.nn.training.data import load_pictures
from bench.nn.training.plan import make_plan
from bench.nn.training.run import RECORD, WEIGHTS, Job, Trial
from bench.nn.training.step import Stepper
from bench.nn.training.sweep import RATES, RESULT, best_rate
from bench.nn.unit import Unit
from bench.nn.weights import own_label
from bench.plan.discover import discover, load_class

KIT = Path(__file__).parent / "train_kit.py"
REGISTRY = discover()


class Crash(Exception):
    """Stands for a process that ends between two instructions."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    for cls in (Small, Exploding):
        cls.card = load_class(f"{KIT}:{cls.__name__}").card
    return make_pictures(tmp_path_factory.mktemp("pictures"))


def words(data: Path, out: Path, algos: str = "Small") -> list[str]:
    named = ",".join(f"{KIT}:{name}" for name in algos.split(","))
    flags = f"--algos {named} --scale 2 --data {data} --preset board --device cpu --iterations 20 --batch 2 --patch 8"
    return [*flags.split(), "--out", str(out)]


def test_a_board_training_finds_its_rate_and_says_so(data: Path, tmp_path: Path) -> None:
    assert main(words(data, tmp_path)) == 0
    folder = tmp_path / "small.srresnet.x2.board-s0"
    record = json.loads((folder / RECORD).read_text())
    trials = record["sweep"]
    assert [trial["learning_rate"] for trial in trials[:4]] == list(RATES)
    last = [trial for trial in trials if trial["iterations"] == trials[-1]["iterations"]]
    best = max(last, key=lambda trial: trial["psnr_y"])
    assert record["plan"]["learning_rate"] == best["learning_rate"]
    assert record["plan"]["schedule"] == "cosine" and record["training"] == "board"
    assert own_label(folder / WEIGHTS) == "own-board-20x2x8"
    assert not list(folder.glob("sweep-*"))


def test_a_calibration_is_not_swept(data: Path, tmp_path: Path) -> None:
    assert main(words(data, tmp_path, "Calibrated")) == 0
    record = json.loads((tmp_path / "calibrated.srresnet.x2.board-s0" / RECORD).read_text())
    assert record["sweep"] == [] and record["recipe"]["calibration"] is True
    assert (record["plan"]["learning_rate"], record["plan"]["betas"]) == (1e-2, [0.9, 0.99])


def test_a_training_killed_in_its_sweep_goes_on_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words(data, tmp_path / "straight")) == 0
    step, seen = Stepper.step, []

    def crashing(self: Stepper, iteration: int) -> float:
        seen.append(self.plan.learning_rate)
        if len(seen) == 6:  # two iterations a rate: in the middle of the third
            raise Crash
        return step(self, iteration)

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Stepper, "step", crashing)
        main(words(data, tmp_path / "killed"))
    folder = tmp_path / "killed" / "small.srresnet.x2.board-s0"
    assert len(json.loads((folder / RESULT).read_text())) == 2  # rates, of the first length
    assert main([*words(data, tmp_path / "killed"), "--resume"]) == 0
    other = tmp_path / "straight" / folder.name
    assert (folder / WEIGHTS).read_bytes() == (other / WEIGHTS).read_bytes()
    assert json.loads((folder / RECORD).read_text())["sweep"] == json.loads((other / RECORD).read_text())["sweep"]


def test_a_method_that_always_diverges_is_unsupported_and_keeps_no_other_from_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(data, tmp_path, "Exploding,Small")) == 1
    assert "diverges at every learning rate of the sweep" in capsys.readouterr().err
    assert (tmp_path / "small.srresnet.x2.board-s0" / WEIGHTS).is_file()
    with pytest.raises(Unsupported, match="untrainable at this budget"):
        main([*words(data, tmp_path, "Exploding"), "--resume"])


def test_a_time_limit_stops_after_a_checkpoint_and_goes_on(data: Path, tmp_path: Path) -> None:
    assert main([*words(data, tmp_path), "--time-limit", "0"]) == 130
    folder = tmp_path / "small.srresnet.x2.board-s0"
    assert not (folder / WEIGHTS).exists()
    assert main([*words(data, tmp_path), "--resume"]) == 0
    assert (folder / WEIGHTS).is_file()


def test_a_grid_is_every_combination(data: Path, tmp_path: Path) -> None:
    grid = words(data, tmp_path)
    grid[grid.index("--preset") + 1] = "smoke"
    assert main([*grid, "--seed", "0,3", "--iterations", "1"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "small.srresnet.x2.smoke-s0", "small.srresnet.x2.smoke-s3",
    ]  # fmt: skip
    with pytest.raises(UserError, match="whole number from 0"):
        main([*grid, "--seed", "-1"])


def test_the_best_rate_is_the_highest_score_and_of_equal_ones_the_smallest() -> None:
    trials = [Trial(1e-4, 20.0), Trial(3e-4, 21.0), Trial(1e-3, 21.0), Trial(3e-3, None, "diverged")]
    assert best_rate(trials, "any") == 3e-4
    assert best_rate([*trials, Trial(1e-3, 19.0, iterations=2)], "any") == 1e-3  # the longest trials decide
    with pytest.raises(Unsupported, match="diverges at every"):
        best_rate(trials[-1:], "any")


@pytest.mark.parametrize(("gain", "lengths"), [(1.0, {2}), (0.05, {2, 4, 8})])
def test_a_sweep_that_taught_nothing_is_run_longer(
    gain: float, lengths: set[int], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trial(job: Job, rate: float, iterations: int, *_: object) -> Trial:
        tried.append(iterations)
        return Trial(rate, 20.0 + gain * (rate == 1e-3), "", iterations, 20.0)

    tried: list[int] = []
    monkeypatch.setattr(sweeping, "_trial", trial)
    assert main(words(data, tmp_path)) == 0
    assert set(tried) == lengths and len(tried) == 4 * len(lengths)
    record = json.loads((tmp_path / "small.srresnet.x2.board-s0" / RECORD).read_text())
    assert record["plan"]["learning_rate"] == 1e-3


def test_full_precision_is_tried_for_the_whole_run_and_the_best_trial_is_the_run(data: Path, tmp_path: Path) -> None:
    flags = f"--algos fp32 --scale 2 --data {data} --preset board --device cpu --iterations 3 --batch 1 --patch 8"
    assert main([*flags.split(), "--out", str(tmp_path)]) == 0
    folder = tmp_path / "fp32.srresnet.x2.board-s0"
    record = json.loads((folder / RECORD).read_text())
    trials = {trial["learning_rate"]: trial for trial in record["sweep"]}
    assert [trial["iterations"] for trial in trials.values()] == [3, 3, 3, 3]
    assert record["validation"]["psnr_y"] == trials[record["plan"]["learning_rate"]]["psnr_y"]
    assert not list(folder.glob("sweep-*"))
    assert main([*flags.split(), "--out", str(tmp_path), "--resume"]) == 0


def test_a_damaged_sweep_is_named(tmp_path: Path) -> None:
    (tmp_path / RESULT).write_text("[{")
    with pytest.raises(UserError, match="cannot be read"):
        sweeping.read(tmp_path)
    (tmp_path / RESULT).write_text('[{"learning_rate": 0.5, "psnr_y": 1.0, "diverged": ""}]')
    with pytest.raises(UserError, match="other rates"):
        sweeping.read(tmp_path)


def test_held_out_pictures_are_spread_and_not_trained_on(data: Path) -> None:
    pictures = load_pictures(data, 2)
    rest, held = pictures.hold_out(2)
    assert len(rest) + len(held) == len(pictures) and len(held) == min(2, len(pictures) // 2)
    assert not {id(image) for image in rest.hr} & {id(image) for image in held.hr}


def test_the_board_has_one_recipe() -> None:
    plans = {make_plan(REGISTRY.loader(key).recipe, "board", 4) for key in ("fp32", "bbcu", "e2fif", "pams_4")}
    assert {(p.schedule, p.optimizer, p.betas, p.budget) for p in plans} == {
        ("cosine", "adam", (0.9, 0.999), "1000x8x24")
    }


@pytest.mark.parametrize("key", ["bnn", "dorefa_1", "bireal", "reactnet", "bbcu", "frb", "btm"])
def test_binary_methods_begin_on_equal_footing(key: str) -> None:
    network = build_network(REGISTRY.loader(key), "srresnet", 4)
    assert network.image_range == ALIGNMENT
    bounds = {round(float(unit.weight.detach().abs().max()), 3) for unit in parts_of(network, Unit) if unit.cin == 64}
    assert bounds == {round(1 / 24, 3)}


def test_a_method_as_printed_begins_as_its_own_code_does() -> None:
    algorithm = REGISTRY.loader("reactnet")
    printed = type("Printed", (type(algorithm),), {"as_printed": True})()
    network = build_network(printed, "srresnet", 4)
    assert network.image_range == 1.0
    assert all(unit.weight.min() >= 0 and unit.weight.max() < 0.001 for unit in parts_of(network, Unit))


def test_a_start_that_no_code_has_is_an_error_with_the_nearest_name() -> None:
    algorithm = REGISTRY.loader("reactnet")
    wrong = type("Wrong", (type(algorithm),), {"as_printed": True, "start": "positiv"})()
    with pytest.raises(UserError, match="Did you mean 'positive'"):
        build_network(wrong, "srresnet", 4)


@pytest.mark.parametrize("name", STARTS)
def test_starts_have_the_deviation_they_say(name: str) -> None:
    weight = nn.Parameter(torch.empty(64, 64, 3, 3))
    torch.manual_seed(0)
    STARTS[name](weight)
    expected = {
        "kaiming": (2 / 576) ** 0.5, "narrow": 0.1 * (2 / 576) ** 0.5, "fan_in": 576**-0.5 / 3**0.5,
        "positive": 0.001 / 12**0.5, "xavier": (2 / 1152) ** 0.5,
    }  # fmt: skip
    assert float(weight.detach().std()) == pytest.approx(expected[name], rel=0.02)
