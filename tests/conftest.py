"""What several test files share."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import hypothesis
import pytest

import bench as bench_package
from bench.app.main import Rooms, main
from bench.plan.discover import Registry, discover

# Set before torch is imported, here and in the processes that tests start: on few cores more threads only get in each
# other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says something of the machine, not of the program.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parents[1]
assert Path(bench_package.__file__).resolve().parents[1] == ROOT, "these would be tests of another checkout's code"
FAKES = Rooms("fakes.algorithms", "fakes.tracks")


KINDS = {
    "fast": r"test_(layers|plan|record|store|closure|discover|progress|published|score.*|command|messages|part)",
    "browser": r"test_browser.*",
    "native": r"test_native.*",
    "slow": r"test_(train.*|board.*|conformance|infer.*|accuracy|robust|contributing|algorithms.*|weights.*)",
}
"""Marker -> names of the files whose tests have it"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind, names in KINDS.items():
            if re.fullmatch(names, item.path.stem):
                item.add_marker(kind)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of pictures and papers beside the repository; tests that need it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: test pictures are not part of the repository")
    return folder


@pytest.fixture
def registry() -> Registry:
    """The fake algorithms and tracks."""
    return discover(FAKES.algorithms, FAKES.tracks)


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line over the fakes in this process: words -> (exit code, stdout, stderr)."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words], FAKES)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def spawn() -> Callable[[Sequence[object]], subprocess.Popen[str]]:
    """Start the command line over the fakes in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}

    def start(words: Sequence[object]) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "tests/fakes/run.py"), *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SRResNet of 4 blocks and 8 channels, on one thread: layers this small gain nothing from more."""
    import torch

    from bench.nn.backbones import srresnet

    monkeypatch.setattr(srresnet, "build", partial(srresnet.build, channels=8, blocks=4))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
