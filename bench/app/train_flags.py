"""Flags of ``run_bench.py train``. Imports nothing heavy: ``--help`` passes through here."""

from __future__ import annotations

from pathlib import Path

from bench.app.flags import Parser
from bench.app.launch import add_launcher
from bench.app.run_flags import add_part
from bench.app.settings import count, seed

EXAMPLES = """\
examples:
  run_bench.py train --algos frb --preset smoke                     two minutes on the built-in photographs
  run_bench.py train --algos fp32,frb --scale 4 --data DIR          the board's recipe, teacher first
  run_bench.py train --algos frb --scale 2 --data DIR --preset paper   the recipe as published
  run_bench.py train --algos all --scale 4,2 --seed 0,1,2 --data DIR --resume --time-limit 9
                                                                    a grid, nine minutes of it at a time
  run_bench.py train ... --resume                                   go on after Ctrl-C, a crash, a reboot

The preset board trains every method by one recipe: Adam, a cosine to zero, and the best of four learning rates, each
tried for a tenth of the run and scored on training pictures held out for it.
Each run has a folder: checkpoints, weights.safetensors, record.json. Use the weights with
  run_bench.py --algos frb --track accuracy --weights frb=FOLDER/weights.safetensors
Stop at any time with Ctrl-C: --resume goes on, and on a CPU ends in the very same weights.
Exit code: 0 all trained, 1 a method of several could not be trained, 2 a mistake or a diverged run, 130 interrupted.
"""


def seeds(text: str) -> list[int]:
    """Comma-separated whole numbers from 0, each once, for argparse."""
    return list(dict.fromkeys(map(seed, text.split(","))))


def training_parser() -> Parser:
    """The parser of a training's flags."""
    about = "Train networks by the board's one recipe, or by their papers'."
    parser = Parser(prog="run_bench.py train", description=about, epilog=EXAMPLES)
    parser.add_config()
    what = parser.add_argument_group("what to train")
    what.add_argument("--algos", required=True, metavar="LIST", help="keys, or path/to/file.py:Class")
    what.add_argument("--backbone", default="srresnet", metavar="LIST", help="default: srresnet")
    what.add_argument("--scale", default="2", metavar="LIST", help="upscaling factors (default 2, as for a run)")
    what.add_argument("--data", default="sample", metavar="DIR", help="folder of pictures; default: sample (built in)")
    what.add_argument("--allow-test-pictures", action="store_true", help="train also on pictures of known test sets")
    what.add_argument("--validate", metavar="DIR",
                      help="folder of validation pictures; default: sample; board: those held out")  # fmt: skip
    what.add_argument("--teacher", type=Path, metavar="FILE", help="full-precision weights, for methods that need them")
    add_part(what)
    how = parser.add_argument_group("how (a preset says what is spent; flags override it)")
    how.add_argument("--preset", choices=("smoke", "quick", "board", "paper"),
                     help="default: board, or smoke on sample")  # fmt: skip
    how.add_argument("--iterations", type=count, metavar="N")
    how.add_argument("--batch", type=count, metavar="N", help="patches an iteration, over all devices")
    how.add_argument("--patch", type=count, metavar="N", help="low-resolution patch side, pixels")
    how.add_argument("--learning-rate", type=float, metavar="X", help="in place of the paper's, or of the sweep")
    how.add_argument("--seed", type=seeds, default=[0], metavar="LIST", help="default: 0")
    how.add_argument("--threads", type=count, default=1, metavar="N", help="CPU threads (default 1)")
    how.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")
    how.add_argument("--devices", type=count, default=1, metavar="N", help="GPUs, or processes on a CPU; several: DDP")
    how.add_argument("--processes", choices=("own", "srun"), default="own",
                     help="who starts a process a device: this program (default), or srun, a task each")  # fmt: skip
    how.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto",
                     help="auto: bf16 on a GPU and on a CPU with AMX or AVX-512 bf16, else fp32")  # fmt: skip
    add_launcher(parser.add_argument_group("in pieces, on many machines"), count)
    out = parser.add_argument_group("results")
    out.add_argument("--out", type=Path, metavar="DIR", help="folder of runs; default: results/trainings")
    out.add_argument("--resume", action="store_true",
                     help="go on from the newest checkpoint; runs not begun yet start, finished ones stay")  # fmt: skip
    out.add_argument("--time-limit", type=float, metavar="MIN", help="stop after a checkpoint once so long at it")
    out.add_argument("--validate-every", type=count, metavar="N", help="iterations; default: a tenth of the run")
    out.add_argument("--checkpoint-every", type=count, metavar="N", help="iterations; default: a tenth of the run")
    out.add_argument("--tensorboard", action="store_true", help="write TensorBoard logs into the run's folder")
    out.add_argument("--store-weights", action="store_true",
                     help="keep results, with --resume finished ones too, in the methods' folders")  # fmt: skip
    return parser
