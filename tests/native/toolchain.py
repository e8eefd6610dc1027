"""Compiles the native sources outside the ordinary build: for another processor, or with sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "bench/packed/native"
HERE = Path(__file__).resolve().parent


def kernels_of(family: str) -> dict[str, list[str]]:
    """Kernel files of one processor family, from the table that the build reads: name -> its own flags."""
    rows = [line.split() for line in (NATIVE / "kernels.txt").read_text().splitlines() if line and line[0] != "#"]
    return {
        Path(file).stem: [flag for flag in flags if not flag.startswith("DEFINE=")]
        for own, file, *flags in rows
        if own == family
    }


DRIVER = (
    "caches",
    "chain",
    "chain_group",
    "layer",
    "inputs",
    "prepare",
    "stretch",
    "pool",
    "self_check",
    *kernels_of("any"),
)
"""What every check program is linked with."""
X86, ARM = kernels_of("x86_64"), kernels_of("aarch64")
EXACT = ("-std=c++17", "-ffp-contract=off", "-fno-trapping-math", "-w", "-pthread", f"-I{NATIVE}", f"-I{HERE}")
"""What all files are compiled with; the float rules are those of the ordinary build."""


def run(*words: object, **options: object) -> str:
    """Output of a command, which must succeed."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def host_compiler() -> str:
    """g++ for this machine; the calling test is skipped without it."""
    found = shutil.which("g++")
    if found is None or os.uname().machine != "x86_64":
        pytest.skip("needs g++ on an x86-64 machine")
    return found


def arm_compiler() -> str:
    """g++ for aarch64; the calling test is skipped without it."""
    if os.uname().machine == "aarch64" and (found := shutil.which("g++")):
        return found
    found = shutil.which("aarch64-linux-gnu-g++")
    if found is None:
        pytest.skip("needs g++ for aarch64 (Debian: apt install g++-aarch64-linux-gnu)")
    return found


def build(
    compiler: str,
    files: Iterable[tuple[Path, Sequence[str]]],
    folder: Path,
    flags: Sequence[str],
    link: Sequence[str] = (),
) -> Path:
    """Compile each (source, its own flags) with ``flags``, two at a time, and link a program in ``folder``."""
    files = list(files)

    def compile_one(file: tuple[Path, Sequence[str]]) -> Path:
        source, own = file
        target = folder / f"{source.stem}.o"
        run(compiler, *EXACT, *flags, *own, "-c", source, "-o", target)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, files))
    program = folder / "program"
    run(compiler, "-pthread", *link, *objects, "-o", program)
    return program


def sources(kernels: dict[str, list[str]], *names: str) -> list[tuple[Path, list[str]]]:
    """The driver, these kernel files with their flags, and further native sources, as `build` takes them."""
    plain = [(NATIVE / f"{name}.cc", []) for name in (*DRIVER, *names)]
    return plain + [(NATIVE / f"{name}.cc", own) for name, own in kernels.items()]
