"""Access to the native kernels and the choice among them."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType

from bench.contract import UserError

KERNEL_VARIABLE = "BISRBENCH_KERNEL"
"""Environment variable that forces a kernel by name; unset or empty takes the fastest one."""

SOURCES = Path(__file__).parent / "native"
"""Sources of the module; absent where only a built package is installed."""

_MODULE = "bench.packed._native"


def native() -> ModuleType:
    """The compiled module.

    Raises UserError, naming the command that builds it, when it is missing, does not load, or was built from other
    sources than those beside this file.
    """
    advice = "run `pip install -e .` in the repository with this Python"
    if importlib.util.find_spec(_MODULE) is None:
        raise UserError(f"native kernels not built: found no module {_MODULE} for this Python; {advice}")
    try:
        module = importlib.import_module(_MODULE)
    except ImportError as error:
        raise UserError(f"native kernels do not load ({error}); {advice}") from error
    if SOURCES.is_dir() and getattr(module, "sources_sha256", "") != _sources_sha256(SOURCES):
        raise UserError(f"native kernels are stale: their sources in {SOURCES} changed after the build; {advice}")
    return module


@cache
def _sources_sha256(folder: Path) -> str:
    """The digest that CMakeLists.txt compiles into the module: over name and digest of each file, in order of name."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".cc", ".h", ".txt"))
    lines = (f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def supported_kernels() -> list[str]:
    """Names of the kernels that this processor can run, fastest first."""
    return native().supported_kernels()


def selected_kernel() -> str:
    """Name of the kernel in force: the one that `KERNEL_VARIABLE` names, else the fastest supported.

    Each kernel is compared with the portable one when it is first asked for in a process, and one that computes
    something else on this processor is passed over with a warning. Raises UserError when the variable names a kernel
    that is unknown, that this processor cannot run, or that fails.
    """
    forced = os.environ.get(KERNEL_VARIABLE, "")
    try:
        name = native().select_kernel(forced)
    except ValueError as error:
        raise UserError(f"{KERNEL_VARIABLE}: {error}; or unset the variable") from error
    if not forced:
        for failure in native().failed_kernels():
            warnings.warn(f"a kernel fails its self-check and is not used: {failure}", RuntimeWarning, stacklevel=2)
    return name
