"""``run_bench.py report``: pages from records that exist. Measures nothing, imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
        "--store", type=Path, action="append", metavar="DIR",
        help="folder of records; may be repeated; default: results/reference and results/local, where they exist",
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
    stores = flags.store or [store for store in (REFERENCE_STORE, LOCAL_STORE) if store.is_dir()]
    if not stores:
        raise UserError(f"no records yet: neither {REFERENCE_STORE} nor {LOCAL_STORE} exists. Run a track first.")
    for store in stores:
        if not store.is_dir():
            raise UserError(f"--store {store}: no such folder. Give the folder that a run named as 'Records'.")
    if not reports_exist():
        raise UserError("reports/ is not there, so no page can be made. Get it back from the repository.")
    formats = ["site"] if flags.site else pick("report format", flags.report, FORMATS)

    import reports

    crops = [] if flags.crops == "none" else pick("data set", flags.crops, list(SETS))
    try:
        made = reports.build(stores, flags.site or flags.out, formats, crops=crops)
    except ImportError as error:
        raise UserError(f"a package of the base is missing or broken ({error}). Run: {install_command([])}") from None
    sys.stdout.write("".join(f"Page: {page}\n" for page in made))
    return 0
