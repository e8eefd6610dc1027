"""``run_bench.py train``: from flags to trainings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.app.pieces import train_in_pieces
from bench.app.train_flags import training_parser
from bench.contract import UserError
from bench.contract.extras import require
from bench.contract.part import part_of
from bench.contract.surroundings import arithmetic_variables, check_float32
from bench.plan.cells import pick, pick_algorithms, pick_scales
from bench.plan.discover import discover
from bench.records.conditions import check_threads


def main(argv: Sequence[str]) -> int:
    """Train every selected network, one after another; the exit code. Raises UserError."""
    flags = training_parser().parse_args(argv)
    flags.words = ["train", *argv]
    require({"training": ("train",)})
    registry, keys = pick_algorithms(flags.algos, discover())
    backbones = pick("backbone", flags.backbone, list(registry.backbones))
    scales = pick_scales(flags.scale, registry, [2])
    for name in ("data", "validate"):
        source = getattr(flags, name)
        if source != "sample" and source is not None and not Path(source).is_dir():
            raise UserError(f"--{name} {source}: no such folder. Give a folder of pictures, or sample.")

    import torch

    from bench.nn.training.combinations import Grid
    from bench.nn.training.grid import TEACHER, run_grid
    from bench.nn.training.run import make_fabric

    check_threads(flags.threads)
    check_float32(arithmetic_variables())
    preset = flags.preset or ("smoke" if flags.data == "sample" else "board")
    grid = Grid(keys, backbones, scales, flags.seed, preset, part_of(flags))
    if flags.launcher != "none":
        names = [training.name for training in grid.trainings()]
        if (code := train_in_pieces(flags, keys, names, TEACHER)) is not None:
            return code
    torch.set_num_threads(flags.threads)
    precision = pick_precision(flags.precision, flags.device)
    fabric = make_fabric(flags.device, flags.devices, precision, flags.processes)
    return run_grid(grid, flags, registry.cards, registry.loader, precision, fabric)


def pick_precision(wanted: str, device: str) -> str:
    """``auto`` is bf16 on a GPU and on a CPU that multiplies bf16 itself (AMX, AVX-512), where an iteration takes half
    of float32's time and less; elsewhere float32."""
    import torch

    from bench.records.machine import cpu_isa

    if wanted != "auto":
        return wanted
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return "bf16"
    return "bf16" if {"amx_bf16", "avx512_bf16"} & {*cpu_isa()} else "fp32"
