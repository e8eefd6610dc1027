"""``run_bench.py data check | prepare | fetch``: what is there, low-resolution folders, downloads."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.app import terminal
from bench.app.flags import Parser
from bench.contract import UserError
from bench.contract.extras import require
from bench.pictures.catalog import DATA_VARIABLE, SETS, SetInfo, resolve
from bench.pictures.protocol import SR_Y_V1

SCALES = (2, 3, 4)
BY_HASH = "with --url, --sha256"
DIV2K = (
    "Agustsson and Timofte, CVPR Workshops 2017. For training: data.vision.ee.ethz.ch/cvl/DIV2K; its own folder works "
    "as --data, of which DIV2K_train_HR is read."
)


def main(argv: Sequence[str]) -> int:
    """Run the subcommand. Returns 0, or 1 when `check` found something wrong. Raises `UserError`."""
    options = _parser().parse_args(argv)
    root = options.data_root or os.environ.get(DATA_VARIABLE)
    if options.run is fetch and not options.sets:
        _say(where_from())
        return 0
    if not root:
        raise UserError(
            f"no data root: give --data-root FOLDER or set {DATA_VARIABLE}. It is the folder that holds "
            "Set5/, Set14/ and so on."
        )
    return options.run(Path(root), options)


def check(root: Path, options: argparse.Namespace) -> int:
    """Print, for each set: pictures found, the manifest's verdict, scales with low-resolution files; then problems."""
    from tabulate import tabulate

    rows, problems = [], []
    for info in _selected(options.sets, root):
        row, wrong = _check_set(root, info)
        rows.append(row)
        problems += wrong
    _say(tabulate(rows, headers=["set", "pictures", "manifest", "LR scales", "LR files", "hash at x2"]))
    for problem in problems:
        _say(f"- {problem}")
    _say(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} found." if problems else "Nothing wrong found.")
    return 1 if problems else 0


def prepare(root: Path, options: argparse.Namespace) -> int:
    """Write ``<set>/LR_bicubic/X<scale>/`` by the protocol's rule, where the set brings no files of its own."""
    from bench.pictures.images import write_png
    from bench.pictures.layouts import find_set, scales_with_lr
    from bench.tasks.sr.datasets import open_set

    for info in _selected(options.sets, root):
        if info.key == "sample":
            continue
        folder = find_set(root, info)
        for scale in options.scales:
            if scale in scales_with_lr(folder):
                _say(f"{info.name} x{scale}: low-resolution files are there already, left as they are")
                continue
            pictures = open_set(info.key, scale, root)
            target = folder / "LR_bicubic" / f"X{scale}"
            part = target.with_name(f".X{scale}.part")
            shutil.rmtree(part, ignore_errors=True)
            for item, pair in zip(pictures.truths.items, pictures, strict=True):
                write_png(part / f"{item.name}x{scale}.png", pair.given)
            part.rename(target)
            _say(f"{info.name} x{scale}: {len(pictures)} files written to {target} by the rule '{SR_Y_V1.lr_rule}'")
    return 0


def fetch(root: Path, options: argparse.Namespace) -> int:
    """Download one set from an address that the user gives, with its hash."""
    from bench.pictures.fetch import fetch as fetch_set

    if len(options.sets) != 1:
        raise UserError(f"data fetch: got {len(options.sets)} sets, expected one: {', '.join(SETS)}.")
    require({"data fetch": ("data",)})
    info = resolve(options.sets[0])
    if info.fetchable and not (options.url and options.sha256):
        raise UserError(
            f"{info.name} ({info.source}): no download address with a verified hash is known here. "
            f"{info.how_to_get} With an archive's address and hash: data fetch {info.key} --url URL "
            "--sha256 HASH."
        )
    root.mkdir(parents=True, exist_ok=True)
    folder = fetch_set(info, options.url or "", options.sha256 or "", root)
    _say(f"{info.name} is in {folder}")
    options.sets = [info.key]
    return check(root, options)


def _check_set(root: Path, info: SetInfo) -> tuple[list[object], list[str]]:
    from bench.pictures.layouts import find_set, scales_with_lr
    from bench.pictures.sets import combined_sha256
    from bench.tasks.sr.datasets import open_set

    problems: dict[str, None] = {}
    try:
        given = [] if info.key == "sample" else scales_with_lr(find_set(root, info))
        pictures = {scale: open_set(info.key, scale, root) for scale in sorted({2, *given})}
    except UserError as error:
        return [info.name, "-", "-", "-", "-", "-"], [str(error)]
    verified, exact, read, hashes = 0, 0, 0, []
    for scale, data in pictures.items():
        for index in range(len(data)):
            try:
                pair = data[index]
            except UserError as error:
                problems[str(error)] = None
                continue
            read += scale in given
            exact += scale in given and pair.exact
            if scale == 2:
                verified += pair.verified
                hashes.append(pair.sha256)
    count = len(pictures[2])
    complete = len(hashes) == count
    lr = f"{exact} of {read} bit-exact" if given else "made on the fly"
    row = [
        info.name,
        count,
        f"{verified} of {count} ok",
        " ".join(f"x{s}" for s in given) or "none",
        lr,
        combined_sha256(hashes)[:12] if complete else "-",
    ]
    return row, list(problems)


def where_from() -> str:
    """One table of all sets: how many pictures, whether an archive of it may be fetched, and where people get it."""
    from tabulate import tabulate

    rows = [
        (
            info.name,
            info.pictures,
            "with --url, --sha256" if info.fetchable else "no",
            f"{info.source}. {info.how_to_get}",
        )
        for info in SETS.values()
    ]
    heads = ("set", "pictures", "fetched here", "where it is from")
    room = terminal.width() - 46
    return tabulate([*rows, ("DIV2K", 900, "no", DIV2K)], heads, maxcolwidths=[None, None, 12, room])


def _selected(names: Sequence[str], root: Path) -> list[SetInfo]:
    """The named sets, or all that are under the root. Raises UserError where there is none."""
    from bench.pictures.layouts import candidates

    found = names or [info.key for info in SETS.values() if info.key != "sample" and candidates(root, info)]
    if not found:
        raise UserError(
            f"{root} holds no folder of a known set ({', '.join(info.name for info in SETS.values())}). "
            "`data fetch` says where people get them."
        )
    return [resolve(name) for name in found]


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("sets", nargs="*", help=f"any of: {', '.join(SETS)}; all that are found when none is named")
    common.add_argument("--data-root", help=f"folder that holds the sets; else the environment's {DATA_VARIABLE}")
    parser = Parser(prog="run_bench.py data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check|prepare|fetch")
    checking = commands.add_parser("check", parents=[common], help="compare every picture with the manifest")
    checking.set_defaults(run=check)
    preparing = commands.add_parser("prepare", parents=[common], help="make low-resolution folders")
    preparing.add_argument("--scales", nargs="+", type=int, default=list(SCALES), choices=range(2, 9), metavar="SCALE")
    preparing.set_defaults(run=prepare)
    fetching = commands.add_parser(
        "fetch",
        parents=[common],
        help="download one set from an address with its hash; without a set: where people get each",
    )
    fetching.add_argument("--url", help="address of a zip or tar archive")
    fetching.add_argument("--sha256", help="its SHA-256, 64 hexadecimal digits")
    fetching.set_defaults(run=fetch)
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
