"""``run_bench.py report``: pages from records that exist. Measures nothing, imports no torch."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path

from bench.app.flags import Parser
from bench.app.main import FORMATS, LOCAL_STORE, PAGES, ROOT
from bench.app.results import reports_exist
from bench.contract import UserError
from bench.contract.extras import install_command
from bench.pictures.catalog import SETS
from bench.plan.cells import pick

REFERENCE_STORE = ROOT / "results" / "reference"


def main(argv: Sequence[str]) -> int:
    """Build the pages; exit code 0, or `UserError` when a store is missing."""
    parser = Parser(prog="run_bench.py report", description="Pages from existing records.")
    parser.add_argument(
        "--store", action="append", metavar="DIR",
        help="folder of records, or a quoted pattern: 'parts/*'; may be repeated, and of two that disagree the later "
        "counts; default: results/reference and results/local, where they exist",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=PAGES, metavar="DIR", help="where pages go; default: reports/out")
    parser.add_argument(
        "--site",
        type=Path,
        metavar="DIR",
        help="write a small static site here: leaderboard, a page a method, a page a track",
    )
    parser.add_argument("--report", default="html", metavar="LIST", help="html (default), latex, md, or all")
    parser.add_argument(
        "--crops", default="all", metavar="LIST",
        help="data sets whose saved pictures are shown enlarged: all (default), none, or names; pictures of published "
        "sets may not be passed on, so a page for others takes: sample",
    )  # fmt: skip
    flags = parser.parse_args(argv)
    stores = _stores(flags.store)
    if not reports_exist():
        raise UserError("reports/ is not there, so no page can be made. Get it back from the repository.")
    formats = ["site"] if flags.site else pick("report format", flags.report, FORMATS)

    import reports
    from bench.records.store import load

    crops = [] if flags.crops == "none" else pick("data set", flags.crops, list(SETS))
    try:
        made = reports.build(stores, flags.site or flags.out, formats, crops=crops)
    except ImportError as error:
        raise UserError(f"a package of the base is missing or broken ({error}). Run: {install_command([])}") from None
    sys.stderr.write("".join(f"note: {remark}\n" for remark in reports.remarks(load(stores))))
    sys.stdout.write("".join(f"Page: {page}\n" for page in made))
    return 0


def _stores(named: Sequence[str] | None) -> list[Path]:
    """The folders meant, those of a pattern in the order of their names (2 before 10)."""
    if named is None:
        found = [store for store in (REFERENCE_STORE, LOCAL_STORE) if store.is_dir()]
        if not found:
            raise UserError(f"no records yet: neither {REFERENCE_STORE} nor {LOCAL_STORE} exists. Run a track first.")
        return found
    return [store for text in named for store in _matching(text)]


def _matching(text: str) -> list[Path]:
    plain = Path(text).expanduser()
    if plain.is_dir():
        return [plain]
    found = [Path(name) for name in glob(str(plain)) if Path(name).is_dir()] if has_magic(text) else []
    if not found:
        what = "no folder matches" if has_magic(text) else "no such folder"
        raise UserError(f"--store {text}: {what}. Give the folder that a run named as 'Records'.")
    return sorted(found, key=_counting)


def _counting(path: Path) -> list[tuple[int, str]]:
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", str(path))]
