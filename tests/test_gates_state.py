"""Globals of PyTorch that one method changes for all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.plan.discover import load_class
from bench.timing.global_state import differences, put_back, state, unchanged

CHANGES = {
    "torch.set_default_dtype(torch.float64)": "default dtype: torch.float32 -> torch.float64",
    "torch.set_grad_enabled(False)": "gradients: True -> False",
    "torch.backends.mkldnn.conv.fp32_precision = 'bf16'": "torch.backends.mkldnn.conv.fp32_precision: none -> bf16",
    "torch.set_default_device('meta')": "default device: cpu -> meta",
    "torch.set_flush_denormal(True)": "denormal numbers: True -> False",
    "torch.nn.functional.conv2d = lambda *a, **k: 0": "conv2d -> <lambda>",
    "import time; time.perf_counter_ns = lambda: 0": "time.perf_counter_ns: perf_counter_ns -> <lambda>",
}


@pytest.fixture(autouse=True)
def untouched():
    before = state()
    yield
    left = differences(before, state())
    put_back(before)
    assert left == []


@pytest.mark.parametrize("code", CHANGES)
def test_what_a_file_changes_on_import_is_put_back_and_told(
    code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "side.py").write_text(
        f"import torch\n{code}\nfrom bench.nn.algorithm import Algorithm\nclass Side(Algorithm):\n    pass\n"
    )
    before = state()
    load_class(f"{tmp_path}/side.py:Side")
    assert differences(before, state()) == []
    told = capsys.readouterr().err
    assert CHANGES[code] in told and "side.py changes globals when it is imported" in told


def test_a_file_that_changes_nothing_is_not_talked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain.py").write_text("from bench.nn.algorithm import Algorithm\nclass Plain(Algorithm):\n    pass\n")
    load_class(f"{tmp_path}/plain.py:Plain")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", CHANGES)
def test_a_method_that_changes_globals_while_it_runs_gets_no_number(code: str) -> None:
    before = state()
    with (
        pytest.raises(RuntimeError, match="side changed globals while it was measured, so no number"),
        unchanged("side"),
    ):
        exec(code, {"torch": torch})
    assert differences(before, state()) == []


def test_an_honest_cell_passes() -> None:
    with unchanged("honest"):
        nn.Conv2d(3, 3, 1)(torch.zeros(1, 3, 2, 2))
        time.perf_counter_ns()


def test_a_failure_is_told_rather_than_what_it_left_behind() -> None:
    with pytest.raises(ZeroDivisionError), unchanged("side"):
        torch.set_grad_enabled(False)
        1 / 0  # noqa: B018
    assert torch.is_grad_enabled()
