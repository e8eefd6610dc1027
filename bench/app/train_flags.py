"""Flags of ``run_bench.py train``. Imports nothing heavy: ``--help`` passes through here."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.app.settings import count

EXAMPLES = """\
examples:
  run_bench.py train --algos frb --preset smoke                     two minutes on the built-in photographs
  run_bench.py train --algos fp32,frb --scale 4 --data DIR          the reference budget, teacher first
  run_bench.py train --algos frb --scale 2 --data DIR --preset paper   the recipe as published
  run_bench.py train ... --resume                                   go on after Ctrl-C, a crash, a reboot

Each run has a folder: checkpoints, weights.safetensors, record.json. Use the weights with
  run_bench.py --algos frb --track accuracy --weights frb=FOLDER/weights.safetensors
Stop at any time with Ctrl-C: --resume goes on, and on a CPU ends in the very same weights.
Exit code: 0 all trained, 2 a mistake or a diverged run, 130 interrupted.
"""


def training_parser() -> argparse.ArgumentParser:
    """The parser of a training's flags."""
    parser = argparse.ArgumentParser(
        prog="run_bench.py train",
        description="Train networks by their methods' recipes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_argument_group("what to train")
    what.add_argument("--algos", required=True, metavar="LIST", help="keys, or path/to/file.py:Class")
    what.add_argument("--backbone", default="srresnet", metavar="NAME", help="default: srresnet")
    what.add_argument("--scale", default="4", metavar="N", help="upscaling factor (default 4)")
    what.add_argument("--data", default="sample", metavar="DIR", help="folder of pictures; default: sample (built in)")
    what.add_argument("--validate", metavar="DIR", help="folder of validation pictures; default: sample")
    what.add_argument("--teacher", type=Path, metavar="FILE", help="full-precision weights, for methods that need them")
    how = parser.add_argument_group("how (a preset shortens the paper's recipe; flags override it)")
    how.add_argument("--preset", choices=("smoke", "reference", "paper"),
                     help="default: reference, or smoke on sample")  # fmt: skip
    how.add_argument("--iterations", type=count, metavar="N")
    how.add_argument("--batch", type=count, metavar="N", help="patches an iteration, over all devices")
    how.add_argument("--patch", type=count, metavar="N", help="low-resolution patch side, pixels")
    how.add_argument("--learning-rate", type=float, metavar="X")
    how.add_argument("--seed", type=int, default=0, metavar="N")
    how.add_argument("--threads", type=count, default=1, metavar="N", help="CPU threads (default 1)")
    how.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")
    how.add_argument("--devices", type=count, default=1, metavar="N", help="GPUs, or processes on a CPU; several: DDP")
    how.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto",
                     help="auto: bf16 on a GPU, fp32 on a CPU")  # fmt: skip
    out = parser.add_argument_group("results")
    out.add_argument("--out", type=Path, metavar="DIR", help="folder of runs; default: results/local/train")
    out.add_argument("--resume", action="store_true",
                     help="go on from the newest checkpoint; runs not begun yet start, finished ones stay")  # fmt: skip
    out.add_argument("--validate-every", type=count, metavar="N", help="iterations; default: a tenth of the run")
    out.add_argument("--checkpoint-every", type=count, metavar="N", help="iterations; default: a tenth of the run")
    out.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs into the run's folder")
    out.add_argument("--store-reference", action="store_true",
                     help="keep results, with --resume finished ones too, as reference weights")  # fmt: skip
    return parser
