"""Globals of PyTorch, its engines and the clock that decide numbers, and code that changes them for everybody.

Nothing here imports torch: a process that has not loaded it has no such state.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bench.contract.gates import gate

State = Mapping[str, Any]

_SETTINGS = {
    "float32 matmul precision": ("get_float32_matmul_precision", "set_float32_matmul_precision"),
    "deterministic algorithms": ("are_deterministic_algorithms_enabled", "use_deterministic_algorithms"),
    "gradients": ("is_grad_enabled", "set_grad_enabled"),
    "default dtype": ("get_default_dtype", "set_default_dtype"),
}
"""Name -> functions of torch that read and set it."""
_SWITCHES = (
    "backends.fp32_precision", "backends.mkldnn.enabled", "backends.mkldnn.deterministic",
    "backends.mkldnn.fp32_precision", "backends.mkldnn.conv.fp32_precision", "backends.mkldnn.matmul.fp32_precision",
    "backends.mkldnn.rnn.fp32_precision", "backends.cudnn.enabled", "backends.cudnn.benchmark",
    "backends.cudnn.deterministic", "backends.cudnn.fp32_precision", "backends.cudnn.conv.fp32_precision",
    "backends.cuda.matmul.fp32_precision", "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "backends.cuda.matmul.allow_bf16_reduced_precision_reduction", "backends.quantized.engine",
)  # fmt: skip
"""Attributes under torch."""
_FUNCTIONS = (
    "conv2d", "nn.functional.conv2d", "nn.functional.linear", "nn.functional.interpolate",
    "nn.functional.pixel_shuffle", "nn.Module.__call__", "nn.Conv2d.forward", "nn.Linear.forward", "Tensor.max",
    "Tensor.abs", "isfinite", "equal",
)  # fmt: skip
"""Functions of torch that networks and checks are made of. Who replaces one replaces it for every method."""
_EXACT = ("none", "ieee")
"""Precisions inside float32 that are float32: nothing said, which takes over what stands above, or said."""
_CLOCK = ("perf_counter_ns", "perf_counter", "monotonic_ns", "monotonic", "time")


def state() -> dict[str, Any]:
    """Name -> value of everything that is watched. Functions stand for themselves."""
    found: dict[str, Any] = {f"time.{name}": getattr(time, name) for name in _CLOCK}
    torch = sys.modules.get("torch")
    if torch is None:
        return found
    found |= {name: _read(getattr(torch, get)) for name, (get, _) in _SETTINGS.items()}
    found["default device"] = str(torch.get_default_device())
    found["denormal numbers"] = bool((torch.full((1,), 1e-40, dtype=torch.float32, device="cpu") * 1).any())
    found["autocast"] = torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
    found["hooks on every module"] = _global_hooks(torch)
    for path in (*_SWITCHES, *_FUNCTIONS):
        holder, name = _holder(torch, path)
        if holder is not None and hasattr(holder, name):
            found[f"torch.{path}"] = _read(lambda holder=holder, name=name: getattr(holder, name))
    return found


def differences(before: State, after: State) -> list[str]:
    """What changed, in words: ``default dtype: torch.float32 -> torch.float64``."""
    return [
        f"{name}: {_said(value)} -> {_said(after[name])}"
        for name, value in before.items()
        if name in after and not _same(value, after[name])
    ]


def put_back(before: State) -> None:
    """Set everything that can be set to what it was."""
    now, torch = state(), sys.modules.get("torch")
    for name, value in before.items():
        if _same(value, now.get(name, value)):
            continue
        if name.startswith("time."):
            setattr(time, name.removeprefix("time."), value)
        elif name in _SETTINGS:
            getattr(torch, _SETTINGS[name][1])(value)
        elif name == "denormal numbers":
            torch.set_flush_denormal(not value)
        elif name == "default device":
            torch.set_default_device(value)
        elif name == "autocast":
            torch.set_autocast_enabled("cpu", value)
        elif name.startswith("torch."):
            holder, attribute = _holder(torch, name.removeprefix("torch."))
            setattr(holder, attribute, value)


@gate("flagged", broken_by="tests/test_gates_state.py::test_what_a_file_changes_on_import_is_put_back_and_told")
@contextmanager
def kept(who: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Importing a user's file changes nothing for other methods: PyTorch's default dtype, gradients, precision inside
    float32, engines, patched functions and clocks are put back to what they were, and the user is told.
    """
    before = state()
    try:
        yield
    finally:
        if changed := differences(before, state()):
            put_back(before)
            tell(
                f"{who} changes globals when it is imported ({'; '.join(changed)}). They were put back, so that other "
                "methods keep their numbers; set them inside the class for its own layers only."
            )


@gate("refused", broken_by="tests/test_gates_state.py::test_a_method_that_changes_globals_while_it_runs_gets_no_number")
@contextmanager
def unchanged(who: str) -> Iterator[None]:
    """Globals that decide numbers are the same before and after every cell. A method that changes them while it runs
    was not measured in the arithmetic that the page names; they are put back for the next cell.

    Raises RuntimeError.
    """
    before = state()
    try:
        yield
    finally:
        changed = differences(before, state())
        put_back(before)
    if changed:
        raise RuntimeError(f"{who} changed globals while it was measured, so no number: {'; '.join(changed)}")


def _read(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except RuntimeError as error:  # PyTorch refuses to say where its older and newer switches were both used
        return f"unreadable ({str(error)[:60]})"


def _holder(torch: Any, path: str) -> tuple[Any, str]:
    *parents, name = path.split(".")
    holder = torch
    for parent in parents:
        holder = getattr(holder, parent, None)
    return holder, name


def _global_hooks(torch: Any) -> int:
    module = torch.nn.modules.module
    names = ("_global_forward_hooks", "_global_forward_pre_hooks")
    return sum(len(getattr(module, name, ())) for name in names)


def _same(a: Any, b: Any) -> bool:
    if a in _EXACT and b in _EXACT:
        return True
    return a is b or (not callable(a) and not callable(b) and a == b)


def _said(value: Any) -> str:
    return getattr(value, "__qualname__", None) or str(value)
