"""A method in several files: found, and hashed one and all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.plan.closure import Closures
from bench.plan.discover import load_class

ROOT = Path(__file__).parents[1]
METHOD = """
from bench.nn.algorithm import Algorithm
from my_helper import K
class MyAlgo(Algorithm):
    factor = K
    def conv(self, cin, cout, kernel, *, place):
        import later
        from parts.inner import X
"""


def write(folder: Path, value: float = 1.0) -> Path:
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    (folder / "my_algo.py").write_text(METHOD)
    (folder / "my_helper.py").write_text(f"import deeper\nK = {value}\n")
    for name in ("deeper.py", "later.py", "parts/__init__.py", "parts/inner.py", "unrelated.py"):
        (folder / name).write_text("X = 1\n")
    return folder / "my_algo.py"


def test_all_that_lies_beside_and_is_imported_belongs_to_the_method(tmp_path: Path) -> None:
    files = Closures().files([str(write(tmp_path))]).values()
    names = sorted(file.relative_to(tmp_path).as_posix() for file in files if file.is_relative_to(tmp_path))
    assert names == ["deeper.py", "later.py", "my_algo.py", "my_helper.py", "parts/__init__.py", "parts/inner.py"]


def test_two_methods_with_helpers_of_one_name_get_their_own(tmp_path: Path) -> None:
    files = [write(tmp_path / name, value) for name, value in (("a", 1.0), ("b", 2.0))]
    assert [load_class(f"{file}:MyAlgo").factor for file in files] == [1.0, 2.0]
    assert "my_helper" in sys.modules and "bench" in sys.modules


def test_a_helper_edited_later_makes_the_cell_stale(tmp_path: Path) -> None:
    """Through the command line, as a user would."""
    folder = tmp_path / "algo"
    (folder / "deep").mkdir(parents=True)
    (folder / "my_algo.py").write_text(
        "from tests.twins.networks import Honest\nimport my_helper\nclass MyAlgo(Honest):\n    pass\n"
    )
    (folder / "my_helper.py").write_text("K = 1\n")
    words = ["--algos", f"{folder}/my_algo.py:MyAlgo", "--track", "comp", "--scale", "2", "--backbone", "srresnet"]

    def run(*more: str) -> str:
        command = [sys.executable, "run_bench.py", *words, "--report", "md", "--out", str(tmp_path / "store"), *more]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run()
    assert "done" in run("--dry-run")
    (folder / "my_helper.py").write_text("K = 2\n")
    assert "stale" in run("--dry-run")
