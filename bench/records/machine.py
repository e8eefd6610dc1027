"""The machine and the programs on it, as far as they explain a number. No host or user names."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

from bench.records.record import Machine

ROOT = Path(__file__).resolve().parents[2]
"""Root of the checkout."""

PACKAGES = (
    "torch", "torchvision", "numpy", "scikit-image", "pyiqa", "pandas", "pydantic", "safetensors", "psutil", "nanobind",
    "onnx", "onnxruntime", "openvino",
)  # fmt: skip
"""Packages whose versions may explain a number."""

ISA = (
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bitalg",
    "avx512_vpopcntdq", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "sve",
)  # fmt: skip
"""SIMD extensions that kernels may use, as Linux names them."""


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """(commit, uncommitted changes?) of the checkout at ``root``; (None, None) where there is no git or no checkout.

    Changes under ``results/`` do not count: records are what a run makes, not what it is made with.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None, None  # an installed copy inside somebody else's repository
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", ".", ":!results"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def cpu_isa() -> list[str]:
    """Those of `ISA` that this CPU reports, in that order; empty where the system does not say."""
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    return [name for name in ISA if name in flags]


def this_machine() -> Machine:
    """The computer at hand. The id is stable over reboots and says nothing about its owner."""
    cpu = _cpuinfo().get("model name") or platform.processor() or platform.machine() or "unknown"
    cores = os.cpu_count() or 1
    arch = platform.machine()
    slug = re.sub(r"-+", "-", re.sub(r"[^a-z0-9]+|\((?:r|tm)\)|\bcpu\b", "-", cpu.lower())).strip("-")[:24].strip("-")
    digest = hashlib.sha256("|".join([cpu, str(cores), arch, *cpu_isa()]).encode()).hexdigest()[:6]
    return Machine(id=f"{slug}-{cores}c-{digest}", cpu=cpu, cores=cores, arch=arch, system=platform.system())


def versions() -> dict[str, str]:
    """Versions of Python and of those `PACKAGES` that are installed."""
    found = {name: version for name in PACKAGES if (version := version_of(name))}
    return {"python": platform.python_version(), **found}


def version_of(package: str) -> str | None:
    """The installed version of a package; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
