"""One folder a task; the folder is the registration."""

from __future__ import annotations

import importlib
import pkgutil

from bench.contract import Task, UserError, unknown


def task_keys() -> list[str]:
    """Keys of the tasks, sorted."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))


def load_task(key: str) -> Task:
    """The task called ``key``. Raises UserError, with the nearest name, when there is none."""
    if key not in task_keys():
        raise unknown("task", key, task_keys())
    task: Task | None = getattr(importlib.import_module(f"{__name__}.{key}"), "TASK", None)
    if task is None or task.key != key:
        raise UserError(f"bench/tasks/{key}: expected a TASK whose key is {key!r} (see bench.contract.Task).")
    return task
