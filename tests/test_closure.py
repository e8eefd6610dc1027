"""What a changed file makes stale: exactly the cells that run through it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.contract import Cell, Settings, UserError
from bench.plan import identity
from bench.plan.closure import NATIVE, Closures
from bench.plan.discover import discover
from bench.plan.identity import Stamp
from bench.records.machine import ROOT

REGISTRY = discover()
NETWORKS = [("frb", "srresnet"), ("frb", "edsr"), ("bnn", "srresnet")]
CELLS = [Cell(track, *network, "x2", "set5") for track in sorted(REGISTRY.tracks) for network in NETWORKS]
LEARNT = ("accuracy", "robust")


class Edited(Closures):
    """Reads one file with an edit in it."""

    def __init__(self, file: str, edit: Callable[[str], str]) -> None:
        super().__init__()
        self.file, self.edit, self.edits = ROOT / file, edit, 0

    def text(self, path: Path) -> str:
        text = super().text(path)
        if path != self.file:
            return text
        self.edits += 1
        changed = self.edit(text)
        assert changed != text
        return changed


def fingerprints(sources: Closures | None = None, **settings: object) -> dict[Cell, str]:
    stamp = Stamp(Settings(**settings), REGISTRY, sources=sources or Closures())  # pyright: ignore
    return {cell: stamp.identity(cell, REGISTRY.tracks[cell.track]).fingerprint for cell in CELLS}


@pytest.fixture(scope="module")
def before() -> dict[Cell, str]:
    return fingerprints()


def stale(before: dict[Cell, str], after: dict[Cell, str]) -> set[Cell]:
    return {cell for cell in CELLS if after[cell] != before[cell]}


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("bench/layer/reference.py", lambda cell: True),
        ("bench/pictures/metrics.py", lambda cell: cell.track in (*LEARNT, "train")),
        ("bench/tasks/sr/datasets.py", lambda cell: cell.track in (*LEARNT, "train")),
        ("tracks/_quality/upscale.py", lambda cell: cell.track in LEARNT),
        ("tracks/infer/worker.py", lambda cell: cell.track == "infer"),
        ("bench/timing/memory.py", lambda cell: cell.track in ("infer", "train")),
        ("algorithms/bnn/adapter.py", lambda cell: cell.algo == "bnn"),
        ("algorithms/fp32/adapter.py", lambda cell: cell.track in ("infer", "train")),
        ("bench/nn/backbones/srresnet.py", lambda cell: cell.backbone == "srresnet"),
        ("bench/scoring/table.py", lambda cell: False),
        ("reports/tables.py", lambda cell: False),
        ("bench/app/run.py", lambda cell: False),
        ("bench/plan/cells.py", lambda cell: False),
    ],
)
def test_code_makes_stale_what_runs_through_it(
    file: str, touched: Callable[[Cell], bool], before: dict[Cell, str]
) -> None:
    sources = Edited(file, lambda text: f"{text}\nADDED = 1\n")
    assert stale(before, fingerprints(sources)) == {cell for cell in CELLS if touched(cell)}


def test_data_beside_a_module_counts(before: dict[Cell, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "manifest.csv"
    other.write_text("another manifest")
    files = Closures().files(["bench.tasks.sr"])
    assert files["bench.pictures.manifest.csv"].name == other.name
    monkeypatch.setattr("bench.plan.closure._data_of", lambda path: [other] if path.stem == "manifest" else [])
    assert {cell.track for cell in stale(before, fingerprints())} == {*LEARNT, "train"}


def test_a_native_source_makes_stale_what_runs_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / NATIVE, tmp_path / NATIVE)
    monkeypatch.setattr(identity, "ROOT", tmp_path)
    plain, packed = fingerprints(), fingerprints(extra={"accuracy.engine": "packed"})
    source = tmp_path / NATIVE / "layer.cc"
    source.write_text(source.read_text() + "// changed\n")
    assert {cell.track for cell in stale(plain, fingerprints())} == {"infer"}
    again = fingerprints(extra={"accuracy.engine": "packed"})
    assert {cell.track for cell in stale(packed, again)} == {"infer", "accuracy"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"""', '"""Said otherwise. ', 1),
        lambda text: f"# A remark.\n\n{text}",
        lambda text: text + "\n\n\n",
    ],
)
def test_words_about_code_make_nothing_stale(edit: Callable[[str], str], before: dict[Cell, str]) -> None:
    sources = Edited("bench/layer/reference.py", edit)
    assert stale(before, fingerprints(sources)) == set() and sources.edits == 1


def test_a_text_that_is_data_counts(before: dict[Cell, str]) -> None:
    sources = Edited("bench/layer/reference.py", lambda text: text + '\nNAME = "# no comment"\n')
    other = Edited("bench/layer/reference.py", lambda text: text + '\nNAME = "# no remark"\n')
    assert stale(fingerprints(sources), fingerprints(other)) == set(CELLS)


def test_a_loose_file_counts_with_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import helper\nfrom bench.nn.unit import Unit\n")
    (tmp_path / "helper.py").write_text("ONE = 1\n")
    (tmp_path / "unrelated.py").write_text("TWO = 2\n")
    rooms = Closures().rooms([str(tmp_path / "mine.py")])
    assert {"mine.py", "helper.py", "bench.nn", "bench.layer"} <= rooms.keys() and "unrelated.py" not in rooms
    (tmp_path / "helper.py").write_text("ONE = 2\n")
    after = Closures().rooms([str(tmp_path / "mine.py")])
    assert {room for room in rooms if rooms[room] != after[room]} == {"helper.py"}


def test_a_missing_module_and_a_broken_file_are_the_users_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no module 'bench\.nothing'"):
        Closures().files(["bench.nothing"])
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(UserError, match=r"broken\.py, line 1"):
        Closures().files([str(tmp_path / "broken.py")])
