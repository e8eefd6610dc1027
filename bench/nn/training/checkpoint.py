"""Checkpoints: everything a run needs to go on as if it had never stopped, in one safetensors file.

A file appears complete or not at all (temporary file, fsync, rename). The newest two are kept, so that there is one to
fall back on whatever happens to the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bench.contract import UserError
from bench.contract.atomic_files import write_atomic

WEIGHTS, RECORD = "weights.safetensors", "record.json"
"""What a finished run leaves in its folder beside its checkpoints."""
FORMAT = "bisrbench-checkpoint"
VERSION = 1
KEPT = 2


class Damaged(UserError):
    """A checkpoint that cannot be read; the one before it may be."""


@dataclass(frozen=True)
class Checkpoint:
    iteration: int
    """Iterations done"""
    tensors: dict[str, Tensor]
    state: dict[str, Any]
    """JSON: the run's description, the sampler's state, curves"""


def path_of(folder: Path, iteration: int) -> Path:
    return folder / f"checkpoint-{iteration:08d}.safetensors"


def saved(folder: Path) -> list[Path]:
    """Checkpoints in the folder, newest first."""
    return sorted(folder.glob("checkpoint-*.safetensors"), reverse=True)


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, then drop all but the newest `KEPT`. Raises UserError when the disk refuses."""
    path = path_of(folder, checkpoint.iteration)
    state = json.dumps({"iteration": checkpoint.iteration, **checkpoint.state}, allow_nan=False)
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()},
        {"format": FORMAT, "version": str(VERSION), "state": state},
    )
    write_whole(path, content)
    for old in saved(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place whole. Raises UserError when the disk refuses; what lay there before is untouched."""
    try:
        write_atomic(path, content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}). Earlier files are untouched; free space or choose "
            "another folder. A training goes on from its last checkpoint with --resume."
        ) from None


def read(path: Path) -> Checkpoint:
    """Read one checkpoint. Raises Damaged, or UserError for another kind of file or another version."""
    try:
        with safe_open(path, framework="pt") as file:
            head = file.metadata() or {}
            _check(path, head)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        state = json.loads(head["state"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise Damaged(f"{path} is damaged ({error}). Delete it; the one before it is used.") from None
    return Checkpoint(state.pop("iteration"), tensors, state)


def _check(path: Path, head: dict[str, str]) -> None:
    if head.get("format") != FORMAT:
        raise UserError(f"{path} is no checkpoint of this program (format {head.get('format')!r}). Move it elsewhere.")
    if head.get("version") != str(VERSION):
        raise UserError(
            f"{path} has checkpoint version {head.get('version')}, this program reads {VERSION}. Resume it with the "
            "program that wrote it, or start anew in another folder with --out."
        )


def newest(folder: Path, note: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint that can be read; ``note`` hears of a damaged one that is passed over.

    Raises UserError when there is none.
    """
    problems = []
    for path in saved(folder):
        try:
            return read(path)
        except Damaged as error:
            problems.append(str(error))
            note(str(error))
    raise UserError(f"{folder} holds no checkpoint to resume from. {' '.join(problems)} Start without --resume.")
