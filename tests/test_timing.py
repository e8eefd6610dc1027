"""What the infer track says about samples, against figures worked out by hand and by other means."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from bench.timing.heap import STEADY_HEAP
from bench.timing.memory import page_faults
from bench.timing.rounds import P99_SAMPLES, PartTimer, interleave, summarize, timing_flags


def test_summary_of_a_known_series() -> None:
    summary = summarize([1.0, 2.0, 3.0, 4.0, 5.0])
    assert summary["median"] == 3.0
    assert summary["iqr"] == 2.0
    assert 1.0 <= summary["ci_low"] <= 3.0 <= summary["ci_high"] <= 5.0


def test_bootstrap_interval_covers_the_median_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        summary = summarize(list(rng.lognormal(0, 0.3, 40)), seed=trial)
        hits += summary["ci_low"] <= 1.0 <= summary["ci_high"]
    assert 180 <= hits <= 199


@pytest.mark.parametrize(("count", "given"), [(P99_SAMPLES - 1, False), (P99_SAMPLES, True)])
def test_p99_needs_enough_samples(count: int, given: bool) -> None:
    assert ("p99" in summarize([1.0] * count)) is given


@pytest.mark.parametrize(
    ("samples", "flags"),
    [([10.0, 10.1, 9.9], []), ([10.0, 14.0, 9.0], ["unstable"]), ([0.5, 0.5, 0.5], ["short_sample"]), ([5.0], [])],
)
def test_flags(samples: list[float], flags: list[str]) -> None:
    assert timing_flags(samples) == flags


def test_networks_take_turns_and_every_sample_is_kept() -> None:
    order, seen = [], []

    def run(name: str):
        return lambda: order.append(name) or torch.zeros(1)

    samples, faults = interleave({"a": run("a"), "b": run("b")}, 2, 3, lambda name, turn, _: seen.append((name, turn)))
    assert order == ["a", "b"] * 5
    assert {name: len(series) for name, series in samples.items()} == {"a": 3, "b": 3}
    assert {name: len(counts) for name, counts in faults.items()} == {"a": 3, "b": 3}
    assert [turn for _, turn in seen] == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2]


def test_parts_are_timed_once_a_pass() -> None:
    network = nn.Sequential()
    network.head, network.tail = nn.Linear(2, 2), nn.Linear(2, 2)
    timer = PartTimer(network, ("head", "body", "tail"))
    for _ in range(3):
        network.tail(network.head(torch.zeros(1, 2)))
    assert {name: len(series) for name, series in timer.series.items()} == {"head": 3, "tail": 3}
    assert all(sample > 0 for series in timer.series.values() for sample in series)


def test_page_faults_count_pages_touched_for_the_first_time() -> None:
    before = page_faults()
    with mmap.mmap(-1, 2**25) as memory:  # the C library would hand out memory that was touched before
        for place in range(0, len(memory), 4096):
            memory[place] = 1
    # A huge page is one fault for 2 MB.
    assert page_faults() - before >= 2**25 // 2**21


ALTERNATING = """
import numpy as np
from bench.timing.memory import page_faults
def turn(size):
    for _ in range(3):
        np.ones(size, np.uint8)
for _ in range(3):
    turn(3 * 2**24), turn(2**24)
before = page_faults()
turn(3 * 2**24), turn(2**24)
print(page_faults() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_a_steady_heap_pays_no_page_faults_when_sizes_alternate() -> None:
    def faults(extra: dict[str, str]) -> int:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")} | extra
        command = [sys.executable, "-c", ALTERNATING]
        return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    assert faults(STEADY_HEAP) <= 16 < faults({})


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_memory_freed_before_does_not_hide_growth() -> None:
    """In a heap that keeps what is freed, as the measuring process has it."""
    code = """
import numpy as np
from bench.timing.memory import PeakMemory
np.ones(2**26, np.uint8)
with PeakMemory() as memory:
    kept = np.ones(2**25, np.uint8)
print(memory.growth_mb)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | STEADY_HEAP, capture_output=True, text=True, check=True)
    assert 30 < float(done.stdout) < 45
