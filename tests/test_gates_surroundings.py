"""Environment variables and threads that would make a number something else than it says."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from pathlib import Path

import pytest

from bench.contract import UserError, surroundings
from bench.contract.surroundings import NOT_FLOAT32, arithmetic_variables, check_float32
from bench.records.conditions import check_threads, cpus_allowed
from bench.records.store import Store, load


def test_variables_that_change_arithmetic_are_told(
    bench: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run() -> str:
        code, _, err = bench("--algos", "alpha", "--track", "count", "--scale", "2", "--out", tmp_path)
        assert code == 0, err
        return err

    for name in surroundings.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    run()
    assert "done" in run()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert "environment None -> {'ONEDNN_MAX_CPU" in run()
    (record,) = load([tmp_path]).records
    assert record.provenance.settings["environment"] == {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert "environment" in record.flags


def test_harmless_variables_are_none_of_our_business() -> None:
    assert arithmetic_variables({"HOME": "/nowhere", "OMP_NUM_THREADS": "2", "ONEDNN_MAX_CPU_ISA": ""}) == {}


@pytest.mark.parametrize("name", NOT_FLOAT32)
def test_a_variable_under_which_float32_is_a_lie_is_refused(
    name: str, bench: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = NOT_FLOAT32[name][0].upper()
    with pytest.raises(UserError, match=f"{name}={value} makes float32 layers compute in fewer bits"):
        check_float32({name: value})
    monkeypatch.setenv(name, value)
    code, _, err = bench("--algos", "alpha", "--track", "count", "--out", tmp_path)
    assert code == 2 and "Unset it" in err and not [*Store(tmp_path).files()]


def test_float32_stays_float32() -> None:
    check_float32({"ONEDNN_DEFAULT_FPMATH_MODE": "STRICT", "NVIDIA_TF32_OVERRIDE": "0"})


def test_more_threads_than_cpus_are_refused(bench: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    threads = ceil(cpus_allowed()) + 1
    code, _, err = bench("--algos", "alpha", "--track", "count", "--threads", threads, "--out", tmp_path)
    assert code == 2 and f"--threads {threads}: this process may use" in err
    assert bench("--algos", "alpha", "--track", "count", "--threads", threads - 1, "--out", tmp_path)[0] == 0
    check_threads(1)
