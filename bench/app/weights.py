"""``run_bench.py weights``: what a file of weights is, whether it works, and the same in the project's own form."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.app.flags import Parser
from bench.contract import UserError
from bench.contract.own_weights import split_target
from bench.contract.text import printable
from bench.plan.cells import pick, pick_algorithms
from bench.plan.discover import Registry, discover

if TYPE_CHECKING:
    from torch import nn

    from bench.nn.identify import Match

EXAMPLES = """\
Read are .safetensors and PyTorch files of tensors: BasicSR's (params_ema before params), state_dict, model, Lightning's
and DataParallel's; half precision too; in this project's names, EDSR-PyTorch's, BasicSR's, and those of the official
code of SwinIR, RCAN, RDN, BBCU, E2FIF, PAMS, QuantSR and CADyQ. No code in a file is run.

examples:
  run_bench.py weights net_g_latest.pth                       what is it?
  run_bench.py weights net_g_latest.pth#params                the table params of a file that holds several
  run_bench.py weights net.pth --as fp32@edsr.x2              does it fit this network, and what does not?
  run_bench.py weights net.pth --convert edsr_x2.safetensors  the same weights in this project's names
  run_bench.py --algos fp32 --backbone edsr --scale 2 --track accuracy --weights fp32@edsr.x2=net.pth

Exit code: 0 it fits a network, 1 it fits none, 2 it is no file of weights.
"""
SHOWN = 8
"""Most mismatches that are printed"""
LOST = 3.0
"""A network this far below bicubic, in dB, does not enlarge pictures."""


def main(argv: Sequence[str]) -> int:
    """Describe a file, and convert it; the exit code. Raises UserError for what is no file of weights."""
    flags = _parser().parse_args(argv)
    registry, keys = pick_algorithms(flags.algos, discover())
    backbones = pick("backbone", flags.backbone, list(registry.backbones))

    import torch

    from bench.nn.identify import identify
    from bench.nn.weight_files import read_weights

    torch.set_num_threads(flags.threads)
    found = read_weights(flags.file)
    count = sum(value.numel() for value in found.tensors.values())
    lines = [f"{flags.file}: {len(found.tensors)} tensors, {count:,} numbers", *found.remarks()]
    if flags.target:
        keys, backbones = _only(flags.target, registry, keys, backbones)
    matches = identify(found.tensors, registry.loader, keys, backbones, _scale(flags.target))
    sys.stdout.write("\n".join([*lines, *_told(matches)]) + "\n")
    if not matches or not matches[0].exact:
        return 1
    _try_and_convert(matches[0], flags, registry)
    return 0


def announce(weights: Mapping[str, Path]) -> None:
    """Say what was done to read the user's files, before anything is measured. Raises UserError for a bad one."""
    for target, path in weights.items():
        from bench.nn.weight_files import read_weights

        for remark in read_weights(path).remarks():
            sys.stderr.write(f"--weights {target}: {remark}\n")


def _parser() -> Parser:
    about = "Say what a file of weights is, and convert it."
    parser = Parser(prog="run_bench.py weights", description=about, epilog=EXAMPLES)
    parser.add_argument("file", type=Path, metavar="FILE", help="the file, or FILE#TABLE")
    parser.add_argument("--as", dest="target", metavar="KEY@BACKBONE.x2", help="compare with this network alone")
    parser.add_argument("--algos", default="all", metavar="LIST", help="methods to look among; default: all")
    parser.add_argument("--backbone", default="all", metavar="LIST", help="backbones to look among; default: all")
    parser.add_argument("--convert", type=Path, metavar="OUT.safetensors", help="write it in this project's names")
    parser.add_argument(
        "--reorder-shuffle", action="store_true",
        help="the channels ahead of the pixel shuffle are in TensorFlow's order; put them into PyTorch's",
    )  # fmt: skip
    parser.add_argument("--no-trial", action="store_true", help="do not run the network on a photograph")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    return parser


def _only(target: str, registry: Registry, keys: list[str], backbones: list[str]) -> tuple[list[str], list[str]]:
    algo, backbone, _ = split_target(target)
    pick("algorithm", algo, list(registry.algorithms))
    return [algo], pick("backbone", backbone or None, list(registry.backbones), backbones)


def _scale(target: str | None) -> int | None:
    level = split_target(target or "")[2]
    if level and not level[1:].isdecimal():
        raise UserError(f"--as {target}: expected a scale like x2 behind the backbone, got {level!r}.")
    return int(level[1:]) if level else None


def _told(matches: Sequence[Match]) -> list[str]:
    if not matches:
        return ["It is no network of this project: not one name is met. A class of your own can wrap it (docs/api.md)."]
    first = matches[0]
    aside = first.fitted.left_aside
    names = [f"Names: {first.fitted.naming.title}."]
    names += [f"Left aside, since it is computed: {printable(aside[0])} and {len(aside) - 1} more."] if aside else []
    if first.exact:
        more = "; bits and options are not in a file" if len({one.algo for one in matches}) > 1 else ""
        return [*names, f"It fits {', '.join(one.target for one in matches)}{more}."]
    problems = first.fitted.problems
    rest = [f"  and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return [*names, f"It fits no network. Nearest is {first.target}, of which it has {first.fitted.share:.0%} by name:",
            *(f"  {printable(problem)}" for problem in problems[:SHOWN]), *rest]  # fmt: skip


def _try_and_convert(match: Match, flags: object, registry: Registry) -> None:
    from bench.nn.build import build_network
    from bench.nn.shuffle_order import reorder_shuffles

    network = build_network(registry.loader(match.algo), match.backbone, match.scale).eval()
    network.load_state_dict(match.fitted.state)
    if flags.reorder_shuffle and not reorder_shuffles(network):
        raise UserError(f"{match.target} has no full-precision convolution ahead of a pixel shuffle to reorder.")
    if not flags.no_trial:
        sys.stdout.write(_trial(network, match.scale))
    if flags.convert:
        _convert(network, flags.convert)
    file = flags.convert or flags.file
    sys.stdout.write(
        f"Measure it: run_bench.py --algos {match.algo} --backbone {match.backbone} --scale {match.scale} "
        f"--track accuracy --weights {match.target}={file}\n"
    )


def _trial(network: nn.Module, scale: int) -> str:
    """What it gives on a photograph that comes with scikit-image; a hint where that is no picture."""
    from copy import deepcopy

    from bench.nn.shuffle_order import reorder_shuffles
    from bench.nn.training.validate import Validation
    from bench.tasks.sr.datasets import open_set

    check = Validation([open_set("sample", scale, None)[0]], scale)
    got, bicubic = check.psnr(network), check.bicubic()
    text = f"On a photograph of scikit-image: {got:.2f} dB, bicubic {bicubic:.2f} dB.\n"
    if got > bicubic - LOST:
        return text
    other = deepcopy(network)
    if reorder_shuffles(other) and (better := check.psnr(other)) > got + LOST:
        return (
            f"{text}The channels ahead of the pixel shuffle are in TensorFlow's order: in PyTorch's the network gives "
            f"{better:.2f} dB. Convert the file: --reorder-shuffle --convert OUT.safetensors\n"
        )
    return f"{text}That is no enlarged picture: untrained, for another colour range, or a variant of the same shapes.\n"


def _convert(network: nn.Module, out: Path) -> None:
    from safetensors.torch import save

    from bench.contract.atomic_files import write_atomic

    if out.suffix != ".safetensors":
        raise UserError(f"--convert {out}: expected a name that ends in .safetensors.")
    state = {name: value.contiguous().clone() for name, value in network.state_dict().items()}
    try:
        write_atomic(out, save(state))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}). Choose another folder.") from None
    sys.stdout.write(f"Written: {out}\n")
