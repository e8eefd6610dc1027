"""What is checked by compiling: the AVX-512 kernel under emulation, each file's symbols, a machine without compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "bench/packed/native"
HERE = Path(__file__).resolve().parent
EMULATOR = Path("/usr/include/simde/x86/avx512.h")
KERNEL_FLAGS = {
    "kernel_portable": [],
    "kernel_avx2": ["-mavx2"],
    "kernel_avx2_integer": ["-mavx2"],
    "kernel_avx512_vpopcnt": ["-mavx512f", "-mavx512vpopcntdq"],
}


def run(*words: object, **options) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def compiler() -> str:
    found = shutil.which("g++")
    if found is None or os.uname().machine != "x86_64":
        pytest.skip("needs g++ on an x86-64 machine")
    return found


def test_avx512_kernel_equals_the_portable_one_under_emulation(compiler: str, tmp_path: Path) -> None:
    """The kernel's own source, compiled against SIMDe: its logic runs here, its instructions on no processor."""
    if not EMULATOR.exists():
        pytest.skip("needs SIMDe (Debian: apt install libsimde-dev)")
    kernel = tmp_path / "kernel.o"
    program = tmp_path / "check"
    sources = [NATIVE / f"{name}.cc" for name in ("layer", "prepare", "pool", "kernel_portable")]
    standard = [compiler, "-std=c++17", "-w", "-pthread", f"-I{NATIVE}"]
    run(*standard, "-O2", f"-I{HERE / 'simde'}", "-c", NATIVE / "kernel_avx512_vpopcnt.cc", "-o", kernel)
    run(*standard, "-O1", HERE / "check_avx512.cc", *sources, kernel, "-o", program)
    assert run(program).strip() == "220 cases agree"


@pytest.mark.parametrize("name", KERNEL_FLAGS)
def test_a_kernel_file_leaves_nothing_for_others_to_share(name: str, compiler: str, tmp_path: Path) -> None:
    """A weak symbol (inline function, template) compiled for one instruction set could be linked in for all."""
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    flags = ["-std=c++17", "-O0", "-w", "-fPIC", "-fno-exceptions", *KERNEL_FLAGS[name]]
    target = tmp_path / "kernel.o"
    run(compiler, *flags, f"-I{NATIVE}", "-c", NATIVE / f"{name}.cc", "-o", target)
    defined = [line.split() for line in run("nm", "--defined-only", "--extern-only", "-C", target).splitlines()]
    names = [" ".join(words[2:]) for words in defined]
    assert all(words[1] not in "WVu" for words in defined), names
    space = name.removeprefix("kernel_").removesuffix("_integer")
    assert names and all(symbol.startswith(f"bisr::{space}::") for symbol in names), names


def test_every_kernel_file_is_checked() -> None:
    assert {path.stem for path in NATIVE.glob("kernel_*.cc")} == set(KERNEL_FLAGS)


def test_without_a_compiler_the_build_says_what_is_missing(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("needs cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    done = subprocess.run(
        [cmake, *generator, "-S", ROOT, "-B", tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"CXX": str(tmp_path / "no-such-compiler")},
    )
    said = " ".join(done.stderr.split())
    assert done.returncode != 0
    assert "No C++ compiler found" in said and "apt install g++" in said and "pip install -e ." in said
