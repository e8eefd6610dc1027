"""The base installation is small, what is missing is said before a run, and a report never costs a measurement."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT

from bench.app.main import main
from bench.app.terminal import prepare_streams
from bench.contract import UserError, extras
from bench.records.store import load

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
sys.path[:0] = {path}
from bench.app.main import Rooms, main
sys.exit(main({words}, Rooms("fakes.algorithms", "fakes.tracks")))
"""
RUN = ["--algos", "all", "--track", "count", "--preset", "smoke", "--out"]


def without(blocked: set[str], *words: object, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """The command line over the fakes where some modules cannot be imported."""
    path = [str(ROOT), str(ROOT / "tests")]
    code = BLOCKED.format(blocked=blocked, path=path, words=[str(word) for word in words])
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding=encoding, env=environment, check=False)


def test_extras_of_the_project_and_of_the_program_are_the_same() -> None:
    named = PROJECT["optional-dependencies"]
    assert set(named) == {*extras.EXTRAS, "test", "all"}
    assert all(name in named["all"][0] for name in {*extras.EXTRAS, "test"})


def test_the_base_brings_nothing_that_an_extra_brings() -> None:
    base = {name.partition(">")[0] for name in PROJECT["dependencies"]}
    optional = {name for extra, names in PROJECT["optional-dependencies"].items() if extra != "all" for name in names}
    assert not base & optional
    assert len(base) <= 12


def test_a_missing_extra_is_one_message_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    words = [
        "--algos",
        "bnn",
        "--track",
        "comp,robust,train",
        "--set",
        "robust.set=imagenet-c",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(words) == 2
    assert capsys.readouterr().err.endswith('run: python -m pip install -e ".[robust,train]"\n')
    assert not list((tmp_path / "out").rglob("*.json"))


def test_what_is_there_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "pyiqa" else object())
    extras.require({"a": ("train",), "b": ()})
    with pytest.raises(UserError, match=r"accuracy needs pyiqa, which.*\[metrics\]"):
        extras.require({"accuracy": ("metrics",), "b": ("robust",)})


@pytest.mark.parametrize(
    ("package", "lost", "kept"),
    [("jinja2", "not made: the page (html)", "letters"), ("tabulate", "not made: the table of count", "Page:    ")],
)
def test_a_broken_package_costs_its_part_of_the_report_and_nothing_else(
    tmp_path: Path, package: str, lost: str, kept: str
) -> None:
    done = without({package}, *RUN, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert lost in done.stderr and "report --store" in done.stderr
    assert kept in done.stdout
    assert [record.status for record in load([tmp_path / "out"]).records] == ["ok", "ok"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_any_output_encoding_will_do(tmp_path: Path, encoding: str) -> None:
    done = without(set(), *RUN, tmp_path / "out", encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert "Page:    " in done.stdout and "not made" not in done.stderr


def test_what_an_encoding_lacks_is_written_in_ascii() -> None:
    prepare_streams()
    text = "\N{UPWARDS ARROW}2 \N{MULTIPLICATION SIGN}4 \N{EN DASH} M\N{LATIN SMALL LETTER E WITH ACUTE} \N{SNOWMAN}"
    assert text.encode("ascii", "bisrbench.plain") == b"^2 x4 - Me ?"


def test_a_second_checkout_with_the_same_environment_is_noticed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "bench").mkdir(parents=True)
    (other / "bench/__init__.py").write_text("")
    shutil.copy(ROOT / "run_bench.py", other)
    code = f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path('run_bench.py', run_name='__main__')"
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=other, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert str(other) in done.stderr and str(ROOT) in done.stderr
    environment = {**environment, "PYTHONPATH": str(ROOT)}
    module = [sys.executable, "-m", "bench.packed.microbench", "--help"]
    done = subprocess.run(module, cwd=other, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "another checkout" in done.stderr
