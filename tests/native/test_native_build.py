"""What is checked by compiling: other processors' kernels under emulation, each file's symbols, a missing compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from toolchain import ARM, HERE, NATIVE, ROOT, X86, arm_compiler, build, host_compiler, run, sources

SIMDE = Path("/usr/include/simde/x86/avx512.h")
KERNEL_FLAGS = {"kernel_portable": []} | X86 | ARM


def test_wide_kernels_equal_the_portable_one_under_emulation(tmp_path: Path) -> None:
    """The kernels' own sources, compiled against an emulation: their logic runs here, on no processor that has them."""
    compiler = host_compiler()
    if not SIMDE.exists():
        pytest.skip("needs SIMDe (Debian: apt install libsimde-dev)")
    emulated = [(NATIVE / f"{name}.cc", [f"-I{HERE / 'simde'}"]) for name in X86 if not name.startswith("kernel_avx2")]
    files = [*emulated, (HERE / "check_emulated.cc", []), *sources({})]
    assert run(build(compiler, files, tmp_path, ["-O3"])).split("\n")[:2] == ["168 cases agree", "30 chains agree"]


def test_neon_kernels_equal_the_portable_one_under_emulation(tmp_path: Path) -> None:
    """Compiled for aarch64 and run by an emulator of a processor that has the dot product; an older one takes neon."""
    compiler = arm_compiler()
    emulator = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("needs an emulator of aarch64 (Debian: apt install qemu-user)")
    files = [(HERE / "check_kernels.cc", []), *sources(ARM, "select")]
    program = build(compiler, files, tmp_path, ["-O2"], ["-static"])
    said = run(emulator, program, 2)
    assert said.split("\n")[:2] == ["neon_dot neon portable 168 cases agree", "30 chains agree"]
    assert run(emulator, "-cpu", "cortex-a53", program).strip() == "neon portable"


@pytest.mark.parametrize("name", KERNEL_FLAGS)
def test_a_kernel_file_leaves_nothing_for_others_to_share(name: str, tmp_path: Path) -> None:
    """A weak symbol (inline function, template) compiled for one instruction set could be linked in for all."""
    compiler = arm_compiler() if name in ARM else host_compiler()
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    flags = ["-std=c++17", "-O0", "-w", "-fPIC", "-fno-exceptions", *KERNEL_FLAGS[name]]
    target = tmp_path / "kernel.o"
    run(compiler, *flags, f"-I{NATIVE}", "-c", NATIVE / f"{name}.cc", "-o", target)
    defined = [line.split() for line in run("nm", "--defined-only", "--extern-only", "-C", target).splitlines()]
    names = [" ".join(words[2:]) for words in defined]
    assert all(words[1] not in "WVu" for words in defined), names
    space = name.removeprefix("kernel_").removesuffix("_integer").removesuffix("_floats")
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
