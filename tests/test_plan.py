"""Plans: which cells, and each one's fate."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.tracks.clock import Clock
from fakes.tracks.count import Count

from bench.contract import Cell, Outcome, Settings, Track, UserError
from bench.plan.cells import PlannedCell, load_preset, pick, pick_scales, plan, preset_names
from bench.plan.discover import Registry, discover
from bench.plan.identity import Stamp
from bench.records.machine import ROOT, git_state, this_machine, versions
from bench.records.record import SCHEMA, Record
from bench.records.store import Store

SETTINGS = Settings(lr_size=(96, 54))


class Grid:
    """A plan over the fakes that a test can change one part of."""

    def __init__(self, root: Path, registry: Registry) -> None:
        self.registry, self.settings, self.store = registry, SETTINGS, Store(root / "store")
        self.tracks: list[Track] = [Count(), Clock()]

    def __call__(self, force: bool = False, levels: tuple[str, ...] = ("x2", "x4")) -> list[PlannedCell]:
        stamp = Stamp(self.settings, self.registry)
        names = (list(self.registry.algorithms), ["srresnet"], list(levels))
        return plan(self.registry, self.tracks, *names, self.settings, stamp, self.store, force)

    def finish(self, item: PlannedCell, status: str = "ok", reason: str = "") -> Path:
        """Put the record of a cell into the store."""
        machine_bound = item.cell.track == "clock"
        made = Stamp(self.settings, self.registry).provenance(item.identity, Outcome())
        record = Record(cell=item.cell, status=status, reason=reason, machine_bound=machine_bound, provenance=made)
        return self.store.write(record)

    def fates(self, force: bool = False) -> dict[str, str]:
        return {str(item.cell): item.fate for item in self(force)}

    def why(self, name: str) -> str:
        return next(f"{item.fate}: {item.why}" for item in self() if str(item.cell) == name)


@pytest.fixture
def grid(tmp_path: Path, registry: Registry) -> Grid:
    return Grid(tmp_path, registry)


FIRST = "count/alpha.srresnet.x2.96x54"


def test_cells_are_the_product_in_the_tracks_order(grid: Grid) -> None:
    names = [str(item.cell) for item in grid()]
    assert names == [
        *(f"count/{algo}.srresnet.x{scale}.96x54" for algo in ("alpha", "beta") for scale in (2, 4)),
        *(f"clock/{algo}.srresnet.x{scale}.t1" for algo in ("alpha", "beta") for scale in (2, 4)),
    ]
    assert set(grid.fates().values()) == {"run"}
    assert not grid.store.root.exists(), "planning writes nothing"


def test_a_finished_cell_is_done_whether_it_has_numbers_or_a_reason(grid: Grid) -> None:
    first, second, *_ = grid()
    grid.finish(first)
    grid.finish(second, "unsupported", "no x4")
    assert grid.fates()[FIRST] == "done"
    assert grid.why("count/alpha.srresnet.x4.96x54") == "done: unsupported: no x4"
    assert list(grid.fates().values()).count("done") == 2


def test_a_failed_cell_is_tried_again(grid: Grid) -> None:
    grid.finish(grid()[0], "failed", "out of memory")
    assert grid.why(FIRST) == "run: failed before: out of memory"


def test_force_takes_finished_cells_again(grid: Grid) -> None:
    grid.finish(grid()[0])
    assert set(grid.fates(force=True).values()) == {"run"}


def test_what_makes_a_record_stale(grid: Grid) -> None:
    grid.finish(grid()[0])
    grid.settings = replace(SETTINGS, seed=7)
    assert grid.why(FIRST) == "run: not measured yet", "every seed has a record of its own"
    grid.settings = replace(SETTINGS, threads=2)
    assert grid.why(FIRST).startswith("done"), "a setting that the track does not name changes nothing"
    grid.settings = SETTINGS
    grid.tracks[0].version = 2
    assert grid.why(FIRST) == "stale: track version 1 -> 2"


def test_weights_decide_by_content(grid: Grid, tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"one")
    grid.settings = replace(SETTINGS, weights={"alpha": weights})
    grid.finish(grid()[0])
    weights.touch()
    assert grid.fates()[FIRST] == "done"
    weights.write_bytes(b"two")
    assert grid.why(FIRST).startswith("stale: weights_file_sha256")
    weights.unlink()
    with pytest.raises(UserError, match=r"w\.safetensors cannot be read"):
        grid()


def test_the_methods_own_code_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    card = "Card(key='solo', name='S', adapter='algs.solo.adapter:S', bits_w=1, bits_a=1)"
    folder = tmp_path / "algs" / "solo"
    folder.mkdir(parents=True)
    (tmp_path / "algs/__init__.py").touch()
    (folder / "__init__.py").write_text(f"from bench.contract import Card\nCARD = {card}\n")
    (folder / "adapter.py").write_text("one = 1\n")
    grid = Grid(tmp_path, discover("algs", "fakes.tracks"))
    name = "count/solo.srresnet.x2.96x54"
    grid.finish(grid()[0])
    (folder / "__pycache__").mkdir(exist_ok=True)
    (folder / "__pycache__/adapter.pyc").write_bytes(b"x")
    assert grid.why(name).startswith("done")
    (folder / "adapter.py").write_text("one = 2\n")
    assert grid.why(name) == "stale: algs.solo changed"


@pytest.mark.parametrize("damage", [lambda text: text[:500], lambda text: text.replace('"seed": 0', '"seed": 1')])
def test_a_damaged_record_is_measured_again(grid: Grid, damage) -> None:
    path = grid.finish(grid()[0])
    path.write_text(damage(path.read_text()))
    why = grid.why(FIRST)
    assert why.startswith(f"run: {path}: ")
    assert "set aside as *.damaged" in why


def test_a_record_of_a_later_program_stops_the_plan(grid: Grid) -> None:
    path = grid.finish(grid()[0])
    path.write_text(path.read_text().replace(f'"schema_version": {SCHEMA}', f'"schema_version": {SCHEMA + 1}'))
    for force in (False, True):
        with pytest.raises(UserError, match="later version"):
            grid(force)


def test_a_cell_cannot_leave_the_store(grid: Grid) -> None:
    grid.tracks[0].cells = lambda *_: [Cell("count", "alpha", "srresnet", "x2", "../../x")]
    with pytest.raises(ValueError, match=r"case '../../x'"):
        grid()


def test_a_cell_named_twice_is_an_error(grid: Grid) -> None:
    grid.tracks[0].cells = lambda *_: [Cell("count", "alpha", "srresnet", "x2", "x")] * 2
    with pytest.raises(ValueError, match="same cell twice"):
        grid()


def test_an_empty_selection_is_said(grid: Grid) -> None:
    with pytest.raises(UserError, match="no cells"):
        grid(levels=())


@pytest.mark.parametrize("name", ["smoke", "quick", "paper"])
def test_presets_select_a_grid_of_what_exists(name: str) -> None:
    grid = load_preset(name)
    backbones = discover().backbones
    assert set(grid.backbones) <= set(backbones)
    assert all(set(grid.scales) <= set(backbones[backbone].scales) for backbone in grid.backbones)
    assert grid.repeats >= 1
    assert name in preset_names()


def test_pick_reads_lists() -> None:
    known = ["comp", "infer"]
    assert pick("track", "infer, comp,infer", known) == ["infer", "comp"]
    assert pick("track", "all", known) == known
    assert pick("track", None, known, ["comp"]) == ["comp"]
    for empty in (None, "", ","):
        with pytest.raises(UserError, match=r"no track given. Known: comp, infer"):
            pick("track", empty, known)


def test_scales_are_whole_and_known(registry: Registry) -> None:
    assert pick_scales("x4,2", registry, ()) == [4, 2]
    with pytest.raises(UserError, match=r"unknown scale '5'. Nearest: 4. Known: 2, 3, 4"):
        pick_scales("2,5", registry, ())
    with pytest.raises(UserError, match="unknown scale 'two'"):
        pick_scales("two", registry, ())


def test_the_machine_is_named_without_its_owner() -> None:
    import getpass
    import socket

    machine = this_machine()
    assert machine == this_machine()
    facts = str(machine) + str(versions())
    for secret in {socket.gethostname(), getpass.getuser()} - {"root", "localhost"}:
        assert secret.lower() not in facts.lower()


def test_no_git_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path) == (None, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(ROOT) == (None, None)


def test_git_sees_changes_of_the_program_not_of_results(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "code.py").write_text("x = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    commit, dirty = git_state(tmp_path)
    assert (len(commit or ""), dirty) == (40, False)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/record.json").write_text("{}")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "code.py").write_text("x = 2\n")
    assert git_state(tmp_path) == (commit, True)
    assert git_state(tmp_path / "results") == (None, None), "a folder inside somebody else's checkout"
