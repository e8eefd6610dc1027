"""Pages from records: the command to repeat each, every format, odd records, no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fake_records import CARDS, realistic, record

import reports
from bench.contract import Card, UserError
from bench.plan.command import command
from bench.records.record import Record
from bench.records.store import Store
from reports.known import Known
from reports.tables import tracks_in

ROOT = Path(__file__).parents[1]
OFFLINE = Known(cards=CARDS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return reports.latest(realistic())


def store_of(folder: Path, records: list[Record]) -> Path:
    store = Store(folder)
    for made in records:
        store.write(made)
    return store.root


# ---- the command ----------------------------------------------------------------------------------------------------
def test_commands_by_hand() -> None:
    plain = record("infer", "frb", "srresnet", 2, "320x180-t1", {})
    assert str(command(plain)) == (
        "python run_bench.py --algos frb --track infer --backbone srresnet --scale 2 "
        "--lr-size 320x180 --threads 1 --seed 0"
    )
    data = record("accuracy", "bicubic", "none", 4, "b100+", {}, flags=["untrained"])
    assert str(command(data)) == (
        "python run_bench.py --algos bicubic --track accuracy --scale 4 --datasets b100 --data-root DIR "
        "--allow-untrained --set accuracy.self_ensemble=true --threads 1 --seed 0"
    )
    settings = {"sweep": [100, 4, 24], "repeats": 5, "kernel": "avx2; rm -rf /"}
    train = record("train", "frb", "srresnet", 2, "100x4x24-t1", {})
    train = train.model_copy(update={"provenance": train.provenance.model_copy(update={"settings": settings})})
    text = str(command(train, Card("frb", "FRB", "/home/a b/m.py:C", 1, 1)))
    assert text.startswith("BISRBENCH_KERNEL='avx2; rm -rf /' python run_bench.py --algos '/home/a b/m.py:C' ")
    assert text.endswith(
        "--set train.iterations=100 --set train.batch=4 --set train.patch=24 --threads 1 --seed 0 --repeats 5"
    )


# ---- every output ---------------------------------------------------------------------------------------------------
def test_build_writes_each_format_and_repeats_itself(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records)
    made = reports.build([store], tmp_path / "a", ["html", "latex", "md"], CARDS)
    assert [path.name for path in made] == ["index.html", "tables.tex", "tables.md"]
    again = reports.build([store], tmp_path / "b", ["html", "latex", "md"], CARDS)
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in again]
    assert made[0].stat().st_size < 300_000
    assert sorted((tmp_path / "a").iterdir()) == sorted(made)


def test_the_later_store_counts(tmp_path: Path) -> None:
    values = {"psnr_y": 30.0}
    first = store_of(tmp_path / "first", [record("accuracy", "frb", "srresnet", 2, "set5", values)])
    second = store_of(tmp_path / "second", [record("accuracy", "frb", "srresnet", 2, "set5", {"psnr_y": 31.0})])
    (made,) = reports.build([first, second], tmp_path / "out", ["md"])
    assert "31.00" in made.read_text() and "30.00" not in made.read_text()


def test_bad_requests(tmp_path: Path, records: list[Record]) -> None:
    with pytest.raises(UserError, match="no records in"):
        reports.build([tmp_path], tmp_path / "out", ["html"])
    with pytest.raises(UserError, match="unknown report format 'pdf'"):
        reports.build([tmp_path], tmp_path / "out", ["pdf"])
    store = store_of(tmp_path / "store", records[:1])
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        reports.build([store], tmp_path / "file", ["md"])


def test_a_damaged_record_is_named_on_the_page(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records[:30])
    victim = next(store.rglob("*.json"))
    victim.write_text(victim.read_text()[:100])
    (made,) = reports.build([store], tmp_path / "out", ["html"], CARDS)
    assert "not a complete JSON record" in made.read_text()


ODD = {
    "failed": [record("infer", "frb", "srresnet", 2, "96x54-t1", reason="boom", status="failed")],
    "no network": [record("accuracy", "bicubic", "none", 2, "set5", {"psnr_y": 33.6})],
    "nothing known": [record("novel", "mine", "weird_net", 2, "a", {"x": 1.0})],
    "zeros": [
        record("comp", "frb", "srresnet", 2, "320x180", {"speedup_theory": 0.0, "compression": 0.0, "ops_g": 0.0}),
        record("infer", "frb", "srresnet", 2, "1x1-t1", {"latency_ms": 0.0, "parity_max_abs": 0.0, "speedup": 0.0}),
    ],
    "all equal": [
        record(track, algo, "srresnet", 2, case, {key: 1.0, "parity_max_abs": 0.0})
        for algo in ("fp32", "frb", "bbcu")
        for track, case, key in (("accuracy", "set5", "psnr_y"), ("infer", "1x1-t1", "latency_ms"))
    ],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_records_still_make_every_page(tmp_path: Path, name: str) -> None:
    store = store_of(tmp_path / "store", ODD[name])
    made = reports.build([store], tmp_path / "out", ["html", "latex", "md", "site"], CARDS)
    assert len(made) >= 6 and all(path.stat().st_size > 100 for path in made)
    for track in tracks_in(ODD[name]):
        assert reports.table_text(ODD[name], track, CARDS).strip()


NO_TORCH = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "pyiqa"):
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Forbid())
from pathlib import Path
import reports
for path in reports.build([Path(sys.argv[1])], Path(sys.argv[2]), ["html", "latex", "md"]):
    print(path)
from bench.records.store import load
print(reports.table_text(load([Path(sys.argv[1])]).records, "infer"))
assert "torch" not in sys.modules
"""


def test_reports_need_no_torch(tmp_path: Path, records: list[Record]) -> None:
    store = store_of(tmp_path / "store", records)
    command_line = [sys.executable, "-c", NO_TORCH, str(store), str(tmp_path / "out")]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Speed-up" in done.stdout and "index.html" in done.stdout
    text = (tmp_path / "out" / "index.html").read_text()
    assert '<p class="problem">' not in text.partition("<noscript>")[0]
