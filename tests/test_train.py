"""Training: the same numbers again, through crashes and resumes; clear ends when something is wrong."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from train_kit import PLAN, Exploding, Overflowing, Poisoned, Small, make_pictures, run

from bench.app.train import main
from bench.contract import UserError
from bench.nn.training import checkpoint, grid
from bench.nn.training.run import RECORD, WEIGHTS
from bench.nn.training.step import Diverged, Stepper
from bench.plan.discover import load_class

ROOT = Path(__file__).resolve().parents[1]
KIT = Path(__file__).parent / "train_kit.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)  # the order of sums, and with it the last bits, depends on the number of threads
    for cls in (Small, Poisoned, Exploding, Overflowing):
        cls.card = load_class(f"{KIT}:{cls.__name__}").card
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder, data)
    return (folder / WEIGHTS).read_bytes()


class Crash(Exception):
    """Stands for a process that ends between two instructions."""


def crash_at(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    step = Stepper.step

    def crashing(self: Stepper, iteration: int) -> float:
        if iteration == at:
            raise Crash
        return step(self, iteration)

    monkeypatch.setattr(Stepper, "step", crashing)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    data: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    run(tmp_path / "again", data)
    run(tmp_path / "other", data, plan=replace(PLAN, seed=1))
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == undisturbed
    assert (tmp_path / "other" / WEIGHTS).read_bytes() != undisturbed


@pytest.mark.parametrize("crashes", [(1,), (3,), (5, 6, 11), (10,)])
def test_a_resumed_run_ends_in_the_same_weights(
    data: Path, undisturbed: bytes, tmp_path: Path, crashes: tuple[int, ...]
) -> None:
    for i, at in enumerate(crashes):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
            crash_at(patch, at)
            run(tmp_path, data, resume=i > 0)
    torch.manual_seed(99)  # whatever the process drew before must not matter
    assert run(tmp_path, data, resume=True)
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed
    curves = json.loads((tmp_path / RECORD).read_text())["curves"]
    assert [done for done, _ in curves["psnr_y"]] == [0, 4, 8, 12]


def test_kill_9_and_resume_on_the_command_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = f"--algos {KIT}:Small --scale 2 --data {data} --validate {data} --preset smoke --device cpu --threads 1"
    sizes = "--iterations 40 --batch 2 --patch 8 --checkpoint-every 2 --validate-every 20"
    words = [*flags.split(), *sizes.split(), "--out"]
    code = "import sys; from bench.app.train import main; sys.exit(main(sys.argv[1:]))"
    paths = os.pathsep.join([str(ROOT), str(KIT.parent)])
    killed = subprocess.Popen(
        [sys.executable, "-c", code, *words, str(tmp_path / "killed")],
        env={**os.environ, "PYTHONPATH": paths, "TRAIN_KIT_PAUSE": "0.2"},
    )
    folder = tmp_path / "killed" / "small.srresnet.x2.smoke-s0"
    while killed.poll() is None and not checkpoint.path_of(folder, 4).exists():
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (folder / WEIGHTS).exists()
    assert main([*words, str(tmp_path / "killed"), "--resume"]) == 0
    assert "resumed at iteration" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "straight")]) == 0
    assert (folder / WEIGHTS).read_bytes() == (tmp_path / "straight" / folder.name / WEIGHTS).read_bytes()


def test_a_finished_run_can_be_kept_as_reference_later(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path] = []
    monkeypatch.setattr(grid, "store_weights", lambda algorithm, path, record: kept.append(path) or path)
    flags = f"--algos {KIT}:Small --scale 2 --data {data} --validate {data} --preset smoke --device cpu --threads 1"
    sizes = "--iterations 2 --batch 2 --patch 8"
    words = [*flags.split(), *sizes.split(), "--out", str(tmp_path)]
    assert main(words) == 0 and kept == []
    assert main([*words, "--resume", "--store-weights"]) == 0
    assert kept == [tmp_path / "small.srresnet.x2.smoke-s0" / WEIGHTS]


def test_two_processes_take_the_steps_of_one(data: Path, tmp_path: Path) -> None:
    flags = f"--algos fp32 --scale 2 --data {data} --validate {data} --preset smoke --device cpu --threads 1"
    sizes = "--iterations 2 --batch 2 --patch 8 --validate-every 2"
    words = [*flags.split(), *sizes.split()]
    losses = {}
    for devices in (1, 2):
        out = ["--devices", str(devices), "--out", str(tmp_path / str(devices))]
        subprocess.run([sys.executable, ROOT / "run_bench.py", "train", *words, *out], check=True, capture_output=True)
        record = json.loads((tmp_path / str(devices) / "fp32.srresnet.x2.smoke-s0" / RECORD).read_text())
        assert record["processes"] == devices
        losses[devices] = record["curves"]["loss"]
    # Each process sees half of the batch; the mean of their gradients is that of the whole.
    assert losses[2] == [[2, pytest.approx(losses[1][0][1], rel=1e-5)]]


def test_a_first_ctrl_c_ends_after_a_checkpoint(
    data: Path, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Small, network: torch.nn.Module, progress: float) -> None:
        if progress == 4 / PLAN.iterations:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Small, "on_progress", interrupt)
    assert not run(tmp_path, data)
    assert checkpoint.newest(tmp_path, print).iteration == 5
    assert run(tmp_path, data, resume=True)
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("algorithm", "what", "where"),
    [
        (Poisoned, "weight", "body.0.conv2.weight"),
        (Overflowing, "loss", "upsampler.0.0"),
        (Exploding, "gradient", "tail.2"),
    ],
)
def test_divergence_names_iteration_and_layer_and_keeps_a_checkpoint(
    data: Path, tmp_path: Path, algorithm: type[Small], what: str, where: str
) -> None:
    with pytest.raises(Diverged) as caught:
        run(tmp_path, data, algorithm)
    assert what in str(caught.value) and where in str(caught.value)
    assert f"iteration {caught.value.iteration}" in str(caught.value)
    kept = checkpoint.newest(tmp_path, print)
    assert kept.iteration <= caught.value.iteration
    assert all(torch.isfinite(t).all() for name, t in kept.tensors.items() if name.startswith("network/"))


def test_a_folder_in_use_and_other_settings_are_refused(data: Path, tmp_path: Path) -> None:
    run(tmp_path, data)
    with pytest.raises(UserError, match="--resume"):
        run(tmp_path, data)
    with pytest.raises(UserError, match="plan is"):
        run(tmp_path, data, plan=replace(PLAN, batch=1), resume=True)


def test_resuming_a_run_that_never_began_starts_it(data: Path, undisturbed: bytes, tmp_path: Path) -> None:
    assert run(tmp_path / "empty", data, resume=True)
    assert (tmp_path / "empty" / WEIGHTS).read_bytes() == undisturbed


def test_a_full_disk_keeps_what_was_saved(
    data: Path, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file, calls = os.replace, []

    def full(source: str, target: Path) -> None:
        calls.append(target)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="No space left"):
            run(tmp_path, data)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [".claims"]
    assert checkpoint.newest(tmp_path, print).iteration == 3
    assert run(tmp_path, data, resume=True)
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed


def test_a_damaged_checkpoint_gives_way_to_the_one_before(data: Path, undisturbed: bytes, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):
        crash_at(patch, 7)
        run(tmp_path, data)
    newest, before = checkpoint.saved(tmp_path)
    newest.write_bytes(newest.read_bytes()[:1000])
    notes: list[str] = []
    assert checkpoint.newest(tmp_path, notes.append).iteration == checkpoint.read(before).iteration
    assert "damaged" in notes[0]
    newest.unlink()
    assert run(tmp_path, data, resume=True)
    assert (tmp_path / WEIGHTS).read_bytes() == undisturbed


def test_other_checkpoint_versions_and_kinds_are_refused(data: Path, tmp_path: Path) -> None:
    run(tmp_path, data)
    path = checkpoint.saved(tmp_path)[0]
    tensors = load_file(path)
    save_file(tensors, path, {"format": checkpoint.FORMAT, "version": "99", "state": "{}"})
    with pytest.raises(UserError, match="version 99"):
        run(tmp_path, data, resume=True)
    save_file(tensors, path)
    with pytest.raises(UserError, match="no checkpoint of this program"):
        run(tmp_path, data, resume=True)


def test_the_record_tells_how_the_weights_were_made(data: Path, tmp_path: Path) -> None:
    run(tmp_path, data)
    record = json.loads((tmp_path / RECORD).read_text())
    assert record["budget"] == PLAN.budget
    assert record["plan"]["halve_at"] == list(PLAN.halve_at)
    assert record["validation"]["psnr_y"] == record["curves"]["psnr_y"][-1][1]
    assert str(tmp_path) not in json.dumps(record) and str(data) not in json.dumps(record)
