"""``run_bench.py config``: a long command, or the command that measures a record again, as a file for ``--config``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.app.run_flags import run_parser
from bench.contract import UserError
from bench.records.record import Record
from bench.records.store import Store

USAGE = """\
usage: run_bench.py config RECORD.json > run.toml      the command that measures a record again
       run_bench.py config --algos frb ... > run.toml  the flags of a run, as a file

Then: run_bench.py --config run.toml. Flags beside --config come after the file's and win.
"""


def main(argv: Sequence[str]) -> int:
    """Print the file. Raises UserError for a record that cannot be read and for flags that a run does not have."""
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    sys.stdout.write(run_parser().table_of(argv if argv[0].startswith("--") else _words(argv)))
    return 0


def _words(argv: Sequence[str]) -> list[str]:
    from bench.plan.command import command

    if len(argv) != 1:
        raise UserError(f"config: got {len(argv)} words, expected the path of one record. {USAGE}")
    made = command(_read(Path(argv[0])))
    words = shlex.split(str(made))
    kernel = words[0].partition("=")[2] if made.environment else ""
    return [*words[words.index("run_bench.py") + 1 :], *(["--kernel", kernel] if kernel else [])]


def _read(path: Path) -> Record:
    record = Store(path.parent).read(path)
    if record is None:
        raise UserError(f"{path}: no such record. Give a .json file from the folder that a run named as 'Records'.")
    return record
