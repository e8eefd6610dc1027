"""Flags as people type them: singular or plural, mistyped, from a file, and a record's command as such a file."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

from bench.app.flags import Parser
from bench.app.main import COMMANDS, main
from bench.app.run_flags import run_parser
from bench.app.train_flags import training_parser
from bench.contract import UserError
from bench.nn.training.plan import PRESETS
from bench.plan.cells import preset_names
from bench.plan.command import command
from bench.records.store import Store, load

RUN = ("--algos", "all", "--track", "count", "--preset", "smoke")
RECORDS = sorted((ROOT / "results" / "reference").glob("*/*/frb.*.json"))


def test_singular_and_plural_are_one(bench, tmp_path: Path) -> None:
    words = (
        "--algo",
        "alpha,beta",
        "--tracks",
        "count",
        "--scales=2,3",
        "--backbones",
        "srresnet",
        "--preset",
        "smoke",
    )
    assert bench(*words, "--out", tmp_path)[0] == 0
    assert len(load([tmp_path]).records) == 4


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--alogs", "frb"], "unknown flag --alogs. Did you mean --algos?"),
        (["train", "--iteration", "1", "--presett", "smoke"], "unknown flag --presett. Did you mean --preset?"),
        (["data", "check", "--dataroot", "x"], "unknown flag --dataroot. Did you mean --data-root?"),
        (["compare", "--lest", "3", "a", "b"], "unknown flag --lest. Did you mean --least?"),
        (["report", "--stor", "x"], "unknown flag --stor. Did you mean --store?"),
        (["cofnig"], "unknown command 'cofnig'. Did you mean 'config'?"),
        (["train"], "the following arguments are required: --algos"),
    ],
)
def test_a_mistyped_flag_gets_a_hint_and_code_2(bench, words: list[str], hint: str) -> None:
    code, text, errors = bench(*words)
    assert (code, text) == (2, "")
    assert (errors.startswith(f"error: {hint}") and "--help" in errors) or "Known" in errors
    assert errors.count("\n") == 1


def test_a_file_stands_in_place_of_flags_and_flags_win(bench, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'algo = ["alpha", "beta"]\ntracks = "count"\npreset = "smoke"\nscale = [2, 3]\nlr_size = "10x20"\n'
        'force = false\nset.count.refuse = "alpha"\n'
    )
    assert bench("--config", file, "--out", tmp_path / "a")[0] == 0
    records = load([tmp_path / "a"]).records
    assert {(r.cell.algo, r.cell.scale, r.status) for r in records} == {
        (algo, scale, status) for algo, status in (("alpha", "unsupported"), ("beta", "ok")) for scale in (2, 3)
    }
    assert bench("--config", file, "--scale", "4", "--out", tmp_path / "b")[0] == 0
    assert {r.cell.scale for r in load([tmp_path / "b"]).records} == {4}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alogs = 3", "alogs is no flag of run_bench.py. Did you mean --algos?"),
        ("algos = [", "no TOML"),
        ('force = "yes"', "force = 'yes', expected true or false"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_message(bench, tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / "run.toml"
    if text is not None:
        file.write_text(text)
    code, _, errors = bench("--config", file)
    assert code == 2 and str(file) in errors and expected in errors


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name + path.stem)
def test_the_command_of_every_record_is_a_file_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Store(path.parent).read(path)
    assert record is not None
    assert main(["config", str(path)]) == 0
    settings = tomllib.loads(capsys.readouterr().out)
    words = shlex.split(str(command(record)))
    words = words[words.index("run_bench.py") + 1 :]
    parser = run_parser()
    assert vars(parser.parse_args(parser.words_of(settings, "it"))) == vars(parser.parse_args(words))


def test_a_long_command_as_a_file(bench, tmp_path: Path) -> None:
    words = (*RUN, "--set", "count.refuse=beta", "--set", "count.sleep=0.0", "--force", "--repeats", "7")
    code, text, _ = bench("config", *words)
    assert code == 0
    assert tomllib.loads(text) == {
        "algos": ["all"], "track": ["count"], "preset": "smoke", "set": ["count.refuse=beta", "count.sleep=0.0"],
        "force": True, "repeats": 7,
    }  # fmt: skip
    file = tmp_path / "run.toml"
    file.write_text(text)
    assert bench("--config", file, "--out", tmp_path / "out")[0] == 0
    assert bench("config", "no.json")[0] == 2


def test_runs_and_trainings_share_their_presets_and_their_scale() -> None:
    assert set(preset_names()) == set(PRESETS)
    for name in preset_names():
        assert name in training_parser().format_help() and name in run_parser().format_help()
    from bench.plan.cells import load_preset

    assert training_parser().parse_args(["--algos", "frb"]).scale == ",".join(map(str, load_preset("quick").scales))


def test_every_command_has_such_a_parser() -> None:
    assert {"train", "data", "report", "compare", "config", "weights", "export"} == set(COMMANDS)
    with pytest.raises(UserError, match="unknown flag --x"):
        Parser(prog="p").parse_args(["--x"])
