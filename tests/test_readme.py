"""The README's own algorithm, exactly as printed, goes through the checks and every machine-independent track."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reports import readme

ROOT = Path(__file__).parents[1]
NOT_OURS = {"--no-install-recommends", "--json"}
"""Flags of other commands: apt-get, python -m bench.packed.microbench"""
PAGES = {page: page.read_text() for page in readme.PAGES}
README = PAGES[ROOT / "README.md"]


@pytest.fixture(scope="module")
def my_algo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (text,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "class MyAlgo(Algorithm)" in text and len(text.splitlines()) < 40
    path = tmp_path_factory.mktemp("own") / "my_algo.py"
    path.write_text(text)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "run_bench.py", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_it_passes_the_conformance_kit(my_algo: Path) -> None:
    done = run("--check", f"{my_algo}:MyAlgo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout and done.stdout.count("ok ") >= 10


def test_it_is_measured_beside_others(my_algo: Path, tmp_path: Path) -> None:
    selection = ["--algos", f"{my_algo}:MyAlgo,bbcu", "--track", "infer,comp", "--lr-size", "40x24", "--repeats", "2"]
    done = run(*selection, "--out", str(tmp_path / "store"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MyAlgo" in done.stdout and "BBCU-L" in done.stdout
    records = sorted(path.name for path in (tmp_path / "store").glob("*/infer/*.json"))
    assert records == ["bbcu.srresnet.x2.40x24-t1.json", "my_algo.srresnet.x2.40x24-t1.json"]


def test_every_flag_on_the_pages_exists() -> None:
    commands = ([], ["train"], ["data", "check"], ["report"], ["compare"], ["export"], ["weights"])
    shown = "".join(run(*command, "--help").stdout for command in commands)
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "".join(PAGES.values()))) - NOT_OURS:
        assert flag in shown, flag


def test_links_between_the_pages_lead_somewhere() -> None:
    links = [(page, link) for page, text in PAGES.items() for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert len(links) >= 6
    for page, link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), (page, link)
        headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], (page, link)
