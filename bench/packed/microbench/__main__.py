"""Times single layers on every engine: ``python -m bench.packed.microbench [--json FILE]``.

A packed layer is all of it: quantize and pack, convolve, scale, bias, RPReLU, shortcut; OpenVINO's binary convolution
gets the same, and its result is compared with ours first. The other engines run the bare convolution with bias. Square
layers run in chains of four, and ours also in chains of 32 that advance together, as in a network. Engines take turns
(A B C, A B C), figures are medians of one layer. Bounds say what layers of several bits would take at least as passes
of the binary kernel: computed from the rows above, not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.contract import UserError
from bench.contract.atomic_files import write_atomic
from bench.packed.kernels import selected_kernel
from bench.packed.microbench.shapes import SHAPES
from bench.packed.microbench.timing import Row, matrix_rate, time_shape
from bench.packed.peers import PEERS, missing, version
from bench.records.machine import ROOT, cpu_isa, git_state, this_machine, versions
from bench.timing.heap import STEADY_HEAP


def main(argv: list[str]) -> int:
    """Print the table, and with ``--json`` write everything it rests on. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.packed.microbench", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="numbers of threads (default 1,2)")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="timed rounds (default 9)")
    parser.add_argument("--shapes", default="", metavar="TEXT", help="only shapes whose name holds this text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures with their provenance")
    flags = parser.parse_args(argv)
    try:
        threads = [int(number) for number in flags.threads.split(",")]
        shapes = [shape for shape in SHAPES if flags.shapes in shape.title]
        if min(*threads, flags.rounds) < 1 or not shapes:
            raise ValueError
    except ValueError:
        names = "; ".join(shape.title for shape in SHAPES)
        sys.stderr.write(f"error: expected threads and rounds from 1 on, and a part of a shape's name: {names}\n")
        return 2
    try:
        kernel = selected_kernel()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2

    limits, rows = {}, []
    for count in threads:
        limits[count] = matrix_rate(count)
        _say(f"{count} thread{'s' * (count > 1)}; PyTorch's fp32 matrix product: {limits[count]:.1f} GMAC/s")
        for shape in shapes:
            found = time_shape(shape, count, flags.rounds)
            rows += found
            _say(f"\n{shape.title}, {shape.macs / 1e9:.2f} GMAC, chain of {shape.length}")
            for row in found:
                _say(line(row, limits[count]))
        _say("")
    if flags.json:
        content = {
            "schema_version": 1,
            "utc": datetime.now(UTC).isoformat(timespec="seconds"),
            **dict(zip(("commit", "dirty"), git_state(ROOT), strict=True)),
            "machine": this_machine().model_dump(),
            "isa": cpu_isa(),
            "kernel": kernel,
            "packages": versions(),
            "peers": {peer.title: version(peer) for peer in PEERS.values() if not missing(peer)},
            "rounds": flags.rounds,
            "fp32_matrix_gmacs": {str(count): rate for count, rate in limits.items()},
            "rows": [row.as_json() for row in rows],
        }
        write_atomic(flags.json, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    return 0


def line(row: Row, limit: float) -> str:
    """One line of the table: time of a layer, speed-up, rate, and for full precision its share of the fp32 limit."""
    if row.ms is None:
        return f"  {row.title:44} -  {row.reason}"
    share = f"  {100 * row.gmacs / limit:4.0f}% of the matrix product" if "fp32" in row.title else ""
    return f"  {row.title:44} {row.ms:8.2f} ms {row.speedup:7.2f}x {row.gmacs:8.1f} GMAC/s{share}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if not STEADY_HEAP.items() <= os.environ.items():  # read when a process starts
        os.execve(
            sys.executable, [sys.executable, "-m", "bench.packed.microbench", *sys.argv[1:]], os.environ | STEADY_HEAP
        )
    sys.exit(main(sys.argv[1:]))
