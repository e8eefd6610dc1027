"""The native sources under the address, undefined-behaviour and thread sanitizers."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from toolchain import HERE, NATIVE, X86, build, host_compiler, run, sources


def sanitized(name: str, compiler: str, folder: Path) -> list[str]:
    """Flags of a sanitizer that works here; the calling test is skipped where its run-time library is missing."""
    flags = [f"-fsanitize={name}", "-fno-sanitize-recover=all"]
    source = folder / "empty.cc"
    source.write_text("int main() { return 0; }")
    build_it: Sequence[object] = [compiler, *flags, source, "-o", folder / "empty"]
    for words in (build_it, [folder / "empty"]):
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"the {name} sanitizer does not work here: {done.stderr.strip().splitlines()[-1]}")
    return flags


def test_no_kernel_reads_or_writes_beyond_its_arrays(tmp_path: Path) -> None:
    """Every kernel of this processor over the case list, 1 to 4 threads, arrays that end where their memory ends."""
    compiler = host_compiler()
    flags = sanitized("address,undefined", compiler, tmp_path)
    files = [(HERE / "check_kernels.cc", []), *sources(X86, "select")]
    program = build(compiler, files, tmp_path, ["-O1", "-g1", *flags], flags)
    said = run(program, 1, 2, 3, 4)
    assert "portable 168 cases agree" in said and "30 chains agree" in said


def test_the_thread_pool_has_no_races(tmp_path: Path) -> None:
    compiler = host_compiler()
    flags = sanitized("thread", compiler, tmp_path)
    files = [(HERE / "check_pool.cc", []), (NATIVE / "pool.cc", [])]
    assert "every item ran once" in run(build(compiler, files, tmp_path, ["-O1", "-g1", *flags], flags))
