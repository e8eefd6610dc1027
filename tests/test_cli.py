"""The command line: what it prints, what it returns, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from bench.records.store import Store, load

RUN = ("--algos", "all", "--track", "count", "--preset", "smoke")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "store"


def statuses(out: Path) -> dict[str, str]:
    loaded = load([out])
    assert loaded.problems == []
    return {record.cell.algo: record.status for record in loaded.records}


HEAVY = {"torch", "pandas", "pydantic", "numpy"}
WITHOUT = """
import runpy, sys
sys.argv = ["run_bench.py", "{word}"]
try:
    runpy.run_path("run_bench.py", run_name="__main__")
except SystemExit as end:
    assert not end.code
assert not {heavy} & set(sys.modules), sorted(sys.modules)
"""


@pytest.mark.parametrize(("word", "heavy"), [("--help", HEAVY), ("--list", {"torch"})])
def test_help_and_list_import_nothing_heavy(word: str, heavy: set[str]) -> None:
    code = WITHOUT.format(word=word, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "algorithm" in done.stdout


def test_list_names_everything(bench) -> None:
    code, text, _ = bench("--list")
    assert code == 0
    for word in ("alpha", "Beta", "1/1", "srresnet", "x2, x3, x4", "clock", "seconds a cell takes", "smoke"):
        assert word in text


def test_a_run_writes_records_and_says_where(bench, out: Path) -> None:
    code, text, progress = bench(*RUN, "--out", out)
    assert code == 0, progress
    assert statuses(out) == {"alpha": "ok", "beta": "ok"}
    assert f"Records: {out}" in text
    assert "[2/2] count/beta.srresnet.x2.96x54 ok" in progress
    record = load([out]).records[0]
    assert record.metrics["letters"].value == 5
    assert record.samples == {"draws": [0.2, 1 / 3, 1e-17]}
    assert record.provenance.protocol == "letters-v1"
    assert ("dirty" in record.flags) == bool(record.provenance.dirty)
    code, _, progress = bench(*RUN, "--out", out)
    assert (code, progress.splitlines()[0]) == (0, "2 cells done")


def test_dry_run_measures_nothing(bench, out: Path) -> None:
    code, text, _ = bench(*RUN, "--out", out, "--dry-run")
    assert code == 0
    assert not out.exists()
    assert "count/alpha.srresnet.x2.96x54  run     not measured yet" in text
    assert "2 of 2 cells would be measured" in text
    bench(*RUN, "--out", out)
    assert "0 of 2 cells would be measured" in bench(*RUN, "--out", out, "--dry-run")[1]
    assert "2 of 2 cells would be measured" in bench(*RUN, "--out", out, "--dry-run", "--seed", 3)[1]


def test_flags_override_the_preset(bench, out: Path) -> None:
    words = ("--lr-size", "10x20", "--scale", "2,x3", "--algos", "beta", "--set", "count.refuse=nobody")
    assert bench(*RUN, "--out", out, *words)[0] == 0
    values = {record.cell.name: record.metrics["area"].value for record in load([out]).records}
    assert values == {"beta.srresnet.x2.10x20": 800, "beta.srresnet.x3.10x20": 1800}


@pytest.mark.parametrize(
    ("option", "reason", "log_has"),
    [
        ("fail", "ArithmeticError: cannot count this", "Traceback"),
        ("nan", "letters is not a finite number", "Traceback"),
        ("blame", "the abacus is missing. Buy one.", "Buy one"),
    ],
)
def test_one_failed_cell_never_stops_the_run(bench, out: Path, option: str, reason: str, log_has: str) -> None:
    code, _, errors = bench(*RUN, "--out", out, "--set", f"count.{option}=alpha")
    assert code == 1
    assert statuses(out) == {"alpha": "failed", "beta": "ok"}
    assert "Traceback" not in errors
    assert reason in errors
    log = out / "logs/count/alpha.srresnet.x2.96x54.log"
    assert f"log: {log}" in errors
    assert log_has in log.read_text()
    code, _, errors = bench(*RUN, "--out", out)
    assert (code, statuses(out)) == (0, {"alpha": "ok", "beta": "ok"})
    assert "1 cell run: failed before" in errors
    assert not log.exists()


def test_unsupported_is_an_answer_not_a_failure(bench, out: Path) -> None:
    code, _, errors = bench(*RUN, "--out", out, "--set", "count.refuse=alpha")
    assert (code, statuses(out)) == (0, {"alpha": "unsupported", "beta": "ok"})
    assert "unsupported: has no letters" in errors


def test_a_run_without_a_single_number_is_no_success(bench, out: Path) -> None:
    words = ("--algos", "alpha", *RUN[2:], "--out", out, "--set", "count.refuse=alpha")
    for _ in range(2):
        code, *_ = bench(*words)
        assert (code, statuses(out)) == (1, {"alpha": "unsupported"})


def test_a_damaged_record_is_reported_kept_and_measured_again(bench, out: Path) -> None:
    bench(*RUN, "--out", out)
    path = next(Store(out).files())
    cut = path.read_text()[:200]
    path.write_text(cut)
    code, _, errors = bench(*RUN, "--out", out)
    assert code == 0
    assert f"1 cell run: {path}: not a complete JSON record" in errors
    assert path.with_name(path.name + ".damaged").read_text() == cut
    assert statuses(out) == {"alpha": "ok", "beta": "ok"}


def test_a_class_of_the_users_own(bench, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from bench.nn.algorithm import Algorithm\n\n\nclass Mine(Algorithm):\n    pass\n")
    words = ("--algos", f"{path}:Mine,alpha", "--track", "count", "--preset", "smoke", "--out", out)
    assert bench(*words)[0] == 0
    assert statuses(out) == {"mine": "ok", "alpha": "ok"}
    path.write_text(path.read_text() + "\nx = 1\n")
    assert "1 cell stale: mine.py changed" in bench(*words)[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--algos", "alhpa"], "unknown algorithm 'alhpa'. Did you mean 'alpha'?"),
        (["--track", "cuont"], "unknown track 'cuont'. Did you mean 'count'?"),
        (["--scale", "8"], "unknown scale '8'. Nearest: 4."),
        (["--preset", "smoek"], "unknown preset 'smoek'. Did you mean 'smoke'?"),
        (["--backbone", "srrsenet"], "unknown backbone 'srrsenet'. Did you mean 'srresnet'?"),
        (["--report", "htm"], "unknown report format 'htm'. Did you mean 'html'?"),
        (["--algos", ""], "no algorithm given"),
        (["--set", "count.slep=1"], "Did you mean 'count.sleep'?"),
        (["--set", "count.sleep"], "unknown option in --set"),
        (["--weights", "alpah=x"], "Did you mean 'alpha'?"),
        (["--weights", "alpha=absent.safetensors"], "no file 'absent.safetensors'"),
        (["--input", "absent.png"], "no such file"),
        (["--data-root", "absent"], "no such folder"),
        (["--algos", "absent.py:Mine"], "there is no file"),
    ],
)
def test_a_wrong_word_is_one_message_and_code_2(bench, out: Path, words: list[str], expected: str) -> None:
    code, _, errors = bench(*RUN, "--out", out, *words)
    assert code == 2
    assert errors.startswith("error: ")
    assert expected in errors
    assert not out.exists()


@pytest.mark.parametrize(
    "words",
    [["--lr-size", "0x3"], ["--lr-size", "big"], ["--repeats", "0"], ["--threads", "-1"], ["--seed", "-1"],
     ["--seed", "1" + 23 * "0"]],
)  # fmt: skip
def test_a_wrong_number_is_code_2(bench, words: list[str]) -> None:
    code, _, errors = bench(*RUN, *words)
    assert code == 2
    assert errors.startswith(f"error: argument {words[0]}") and errors.count("\n") == 1


def test_unknown_commands_and_no_words_at_all(bench) -> None:
    assert "Did you mean 'report'?" in bench("rpeort")[2]
    code, _, help_text = bench()
    assert (code, "usage:" in help_text) == (2, True)


def test_a_results_folder_that_cannot_be_written(bench, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("precious")
    code, _, errors = bench(*RUN, "--out", tmp_path / "taken")
    assert code == 2
    assert "it is a file" in errors
    assert "[1/" not in errors, "nothing was measured"


def test_report_needs_a_store(bench, tmp_path: Path) -> None:
    code, _, errors = bench("report", "--store", tmp_path / "absent")
    assert code == 2
    assert "no such folder" in errors


def test_records_are_plain_json(bench, out: Path) -> None:
    bench(*RUN, "--out", out)
    content = json.loads(next(Store(out).files()).read_text())
    assert content["metrics"]["letters"]["unit"] == ""
    assert str(out) not in json.dumps(content), "a record holds no path of the machine"
