"""Pieces of one command as processes of this machine, and as tasks of an array as far as no Slurm is needed."""

from __future__ import annotations

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_resume import WORDS, content

from bench.app import launch
from bench.app.launch import Batch, Piece


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conftest import FAKES

    from bench.app.main import main

    store = tmp_path_factory.mktemp("undisturbed") / "store"
    assert main([*WORDS, "--out", str(store)], FAKES) == 0
    return store


def test_local_pieces_make_the_same_store_and_the_page(spawn, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "store"
    process = spawn([*WORDS, "--out", store, "--launcher", "local", "--jobs", "3"])
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "untimed: 6 in 3 local pieces" in errors
    assert "6 cells done" in errors, "what the pieces have measured is not measured again"
    assert f"Page:    {store / 'report' / 'index.html'}" in out
    assert content(store) == content(undisturbed)
    logs = sorted((store / "logs/pieces").iterdir())
    assert [log.name for log in logs] == [f"untimed-{number}.log" for number in (1, 2, 3)]
    assert all("part " in log.read_text() for log in logs)


def test_ctrl_c_ends_the_pieces_and_the_same_command_goes_on(spawn, bench, tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "store"
    slow = [*WORDS, "--set", "count.sleep=2", "--out", store]
    process = spawn([*slow, "--launcher", "local", "--jobs", "2"])
    for _ in range(600):
        if any(store.glob(".claims/*")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not any(store.glob(".claims/*")), "each piece gave its cell back"
    assert bench(*WORDS, "--out", store)[0] == 0
    assert content(store) == content(undisturbed)


@pytest.mark.parametrize("word", ["--cells", "--cell"])
def test_a_piece_has_no_pieces(bench, tmp_path: Path, word: str) -> None:
    what = "1/2" if word == "--cells" else "count/beta.srresnet.x3.96x54"
    code, _, errors = bench(*WORDS, "--out", tmp_path, "--launcher", "local", word, what)
    assert code == 2 and "Leave out --cells and --cell" in errors


def test_no_more_pieces_than_cells() -> None:
    pieces = Batch("untimed", ["--algos", "frb"], 2).pieces(40)
    assert [words[-1] for words in pieces] == ["1/2", "2/2"]
    assert all(words[2:4] == ["--launcher", "none"] for words in pieces)


STUBBORN = """
import signal, sys, time
def stop(*_):
    said.write("ended cleanly"); said.close(); sys.exit(130)
signal.signal(signal.SIGTERM, stop)
said = open(sys.argv[1], "w")
said.write("deaf, " if signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN else "hears, ")
said.flush()
time.sleep(60)
"""


def test_the_time_limit_ends_a_piece_cleanly_and_it_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(launch, "AFTERLIFE", 0)
    said = tmp_path / "said"
    piece = Piece([sys.executable, "-c", STUBBORN, str(said)])
    with ThreadPoolExecutor(1) as pool:  # in place of the signal's handler, which interrupts the call
        called = pool.submit(piece)
        while not (said.exists() and said.read_text()):
            time.sleep(0.05)
        again = piece.checkpoint()
        with pytest.raises(RuntimeError, match="ended with 130"):
            called.result()
    assert said.read_text() == "deaf, ended cleanly"
    assert again.function == Piece(piece.command)


def test_a_command_that_is_wrong_is_no_success() -> None:
    assert Piece([sys.executable, "-c", "raise SystemExit(1)"])() == 1, "failed cells are in the store"
    with pytest.raises(RuntimeError, match="ended with 2"):
        Piece([sys.executable, "-c", "raise SystemExit(2)"])()


def test_options_of_slurm_reach_the_script(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    from submitit.slurm.slurm import _make_sbatch_string

    from bench.app.launch import _slurm_options

    options = _slurm_options(["time=30", "partition=gpu", "cpus_per_task=4", "hint=nomultithread"])
    assert options == {
        "time": 30, "partition": "gpu", "cpus_per_task": 4, "additional_parameters": {"hint": "nomultithread"},
    }  # fmt: skip
    text = _make_sbatch_string("run", tmp_path, exclusive=True, array_parallelism=3, map_count=9, **options)
    for line in ("--array=0-8%3", "--exclusive", "--hint=nomultithread", "--partition=gpu", "--open-mode=append"):
        assert f"#SBATCH {line}" in text
