"""Several devices inside a Slurm allocation: the program starts its own processes unless it is told otherwise."""

from __future__ import annotations

import pytest

pytest.importorskip("lightning_fabric")

from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import SLURMEnvironment

from bench.nn.training.run import make_fabric

ALLOCATION = {
    "NTASKS": "1", "NTASKS_PER_NODE": "1", "JOB_NAME": "cells", "JOB_ID": "5", "NNODES": "1", "NODEID": "0",
    "LOCALID": "0", "PROCID": "0", "NODELIST": "vm",
}  # fmt: skip


@pytest.fixture(autouse=True)
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ALLOCATION.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setattr(Fabric, "launch", lambda self: None)


def test_an_allocation_of_one_task_trains_on_two_devices() -> None:
    assert make_fabric("cpu", 2)._strategy.cluster_environment.creates_processes_externally is False


def test_left_to_itself_lightning_refuses_it() -> None:
    with pytest.raises(ValueError, match="ntasks-per-node=1"):
        SLURMEnvironment().validate_settings(num_devices=2, num_nodes=1)


def test_srun_may_have_started_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "2")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    assert make_fabric("cpu", 2, processes="srun")._strategy.cluster_environment.creates_processes_externally
