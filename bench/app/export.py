"""``run_bench.py export``: a trained network as a file for other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.app.flags import Parser
from bench.app.settings import count, seed, size
from bench.contract import Cell, Settings, Unsupported, UserError
from bench.contract.extras import require
from bench.contract.own_weights import split_table
from bench.plan.cells import pick, pick_algorithms
from bench.plan.discover import discover

if TYPE_CHECKING:
    from torch import nn

FORMATS = {"packed": ".packed.safetensors", "onnx": ".onnx", "openvino": ".xml"}
"""Format -> how the file's name ends"""
EXAMPLES = """\
formats:
  packed    this project's own: bits as bits, run by its kernels. In Python:
                import bench
                enlarged = bench.load_packed("FILE")(picture)      # NumPy, (H, W, 3) uint8 RGB
  onnx      full precision; k-bit layers as int8 in QDQ form; 1-bit weights as int8 too, without gain
  openvino  the same, as OpenVINO's .xml and .bin
Every file is read back, run and compared with the trained network before it is said to be written. ONNX and OpenVINO
files take any size of picture, unless --size fixes one.

examples:
  run_bench.py export frb --scale 4 --to packed
  run_bench.py export fp32 --backbone edsr --scale 2 --weights net_g_latest.pth --to onnx --out edsr_x2.onnx
  run_bench.py export quantsr_4 --scale 2 --to openvino --size 320x180

Exit code: 0 written, 1 it cannot be exported (the reason is said), 2 the command was wrong.
"""


@dataclass(frozen=True)
class Trained:
    """A network, and what a file of it has to say."""

    network: nn.Module
    header: dict[str, object]
    label: str

    @property
    def facts(self) -> dict[str, str]:
        """The header as text."""
        return {key: str(value) for key, value in self.header.items()} | {"weights": self.label}


def main(argv: Sequence[str]) -> int:
    """Write the file; the exit code. Raises UserError."""
    flags = _parser().parse_args(argv)
    if flags.to != "packed":
        require({f"export --to {flags.to}": ("peers",)})

    import torch

    torch.set_num_threads(flags.threads)
    trained = _trained(flags)
    out = flags.out or Path(f"{flags.key_name}.{flags.backbone}.x{flags.scale}{FORMATS[flags.to]}")
    ending = FORMATS[flags.to].rpartition(".")[2]
    if not out.name.endswith(f".{ending}"):
        raise UserError(f"--out {out}: expected a name that ends in .{ending} for --to {flags.to}.")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: its folder does not exist. Make it, or choose another.")
    try:
        text = _packed(trained, out) if flags.to == "packed" else _exchanged(trained, out, flags)
    except Unsupported as reason:
        sys.stderr.write(f"not exported: {trained.header['algorithm']} as {flags.to}: {reason}\n")
        return 1
    sys.stdout.write(text)
    return 0


def _parser() -> Parser:
    about = "Write a trained network as a file for other programs."
    parser = Parser(prog="run_bench.py export", description=about, epilog=EXAMPLES)
    parser.add_argument("key", metavar="KEY", help="algorithm, or path/to/file.py:Class")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS))
    parser.add_argument("--backbone", default="srresnet", metavar="NAME", help="default: srresnet")
    parser.add_argument("--scale", type=count, default=2, metavar="N", help="upscaling factor (default 2)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="default: those that come with the project")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the project's own weights (default 0)")
    parser.add_argument("--allow-untrained", action="store_true", help="export random weights where there are none")
    parser.add_argument("--size", type=size, metavar="WxH", help="ONNX, OpenVINO: one size of picture, not any")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: KEY.BACKBONE.xN and the format's ending")
    parser.add_argument("--threads", type=count, default=1, metavar="N", help="CPU threads (default 1)")
    return parser


def _trained(flags: argparse.Namespace) -> Trained:
    from bench.nn.weights import prepare_network

    registry, keys = pick_algorithms(flags.key, discover())
    if len(keys) != 1:
        raise UserError(f"export takes one algorithm, got {', '.join(keys)}.")
    flags.key_name = keys[0]
    (backbone,) = pick("backbone", flags.backbone, list(registry.backbones))[:1]
    if flags.weights and not split_table(flags.weights)[0].is_file():
        raise UserError(f"--weights {flags.weights}: no such file.")
    own = {keys[0]: flags.weights} if flags.weights else {}
    algorithm = registry.loader(keys[0])
    cell = Cell("export", keys[0], backbone, f"x{flags.scale}", "file")
    try:
        network, sha, label = prepare_network(algorithm, cell, Settings(seed=flags.seed, weights=own))
    except Unsupported as reason:
        raise UserError(f"{keys[0]} on {backbone} at x{flags.scale}: {reason}.") from None
    if label is None and not flags.allow_untrained:
        raise UserError(
            f"there are no trained weights of {keys[0]} on {backbone} at x{flags.scale}. Name yours with --weights "
            "FILE, train it (run_bench.py train --help), or export random ones with --allow-untrained."
        )
    header = {"algorithm": keys[0], "backbone": backbone, "scale": flags.scale, "weights_sha256": sha}
    return Trained(network, header, label or "untrained")


def _packed(trained: Trained, out: Path) -> str:
    import torch

    from bench.packed.pack import load_into, pack, packed_units, save
    from bench.packed.parity import check_parity

    packed = pack(trained.network)
    save(packed, out, {**trained.header, "details": {"weights": trained.label}})
    image = torch.linspace(0, 1, 3 * 24 * 20).view(1, 3, 24, 20)
    parity = check_parity(trained.network, load_into(trained.network, out, trained.header), image)
    if not parity.passed:
        out.unlink()
        raise Unsupported(f"the packed network is not the trained one: {parity.reason()}")
    units = packed_units(packed)
    kernels = ", ".join(sorted({unit.layer.kernel for unit in units.values()})) or "none"
    return (
        f"Written: {out} ({out.stat().st_size:,} bytes)\n"
        f"{len(units)} packed layers, kernels here: {kernels}. Accumulators equal the trained network's, outputs "
        f"differ by {parity.output_max_abs:.1g} of 1.\n"
        f"In Python:\n  import bench\n  enlarged = bench.load_packed({str(out)!r})(picture)\n"
    )


def _exchanged(trained: Trained, out: Path, flags: argparse.Namespace) -> str:
    from bench.packed.export.onnx_file import write_onnx, write_openvino

    write = write_onnx if flags.to == "onnx" else write_openvino
    made = write(trained.network, out, flags.size, trained.facts)
    files = [out, *([out.with_suffix(".bin")] if flags.to == "openvino" else [])]
    sizes = ", ".join(f"{file} ({file.stat().st_size:,} bytes)" for file in files)
    told = "".join(f"{note}\n" for note in made.notes)
    return (
        f"Written: {sizes}\nRun and compared: its output differs from the trained network's by {made.difference:.1g} "
        f"of 1 at most ({made.psnr_db:.1f} dB).\n{told}"
    )
