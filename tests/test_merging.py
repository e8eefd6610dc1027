"""Several stores as one: patterns, disagreements by name, one slow node among equal ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_records import record
from test_resume import WORDS

from bench.records.conditions import Conditions
from bench.records.merging import NAMED, conflicts, slow_nodes
from bench.records.record import Record
from bench.records.store import Store, load


def comp(ops: float, algo: str = "frb", **more: object) -> Record:
    return record("comp", algo, "srresnet", 2, "320x180", {"ops_g": ops}, **more)


def stores(root: Path, *records: Record) -> list[Path]:
    """A store for each record."""
    for number, one in enumerate(records):
        Store(root / f"part-{number}").write(one)
    return [root / f"part-{number}" for number in range(len(records))]


def test_equal_values_are_no_conflict(tmp_path: Path) -> None:
    same = (comp(1.5), comp(1.5, utc="2031-01-01T00:00:00+00:00"), comp(1.5, algo="bnn"))
    assert conflicts(load(stores(tmp_path, *same))) == []


def test_a_conflict_names_the_cell_both_values_and_what_counts(tmp_path: Path) -> None:
    one, two = stores(tmp_path, comp(1.5), comp(2.25))
    (sentence,) = conflicts(load([one, two]))
    assert sentence == f"comp/frb.srresnet.x2.320x180: ops_g 1.5 in {one}, ops_g 2.25 in {two}, which counts"
    (sentence,) = conflicts(load([two, one]))
    assert sentence.endswith(f"ops_g 1.5 in {one}, which counts")


def test_a_failure_against_a_number_is_a_conflict_too(tmp_path: Path) -> None:
    (sentence,) = conflicts(
        load(stores(tmp_path, comp(1.5), record("comp", "frb", "srresnet", 2, "320x180", reason="no")))
    )
    assert ": ok in " in sentence and ", unsupported in " in sentence


def test_many_conflicts_are_counted(tmp_path: Path) -> None:
    for part, value in (("a", 1.0), ("b", 2.0)):
        for number in range(NAMED + 3):
            Store(tmp_path / part).write(comp(value, algo=f"algo{number}"))
    found = conflicts(load([tmp_path / "a", tmp_path / "b"]))
    assert len(found) == NAMED + 1 and found[-1].startswith("and 3 more disagreements")


def timed(host: str, full: float, algo: str, case: str = "320x180-t1") -> Record:
    made = record("infer", algo, "srresnet", 2, case, {"fp32_latency_ms": full})
    told = Conditions(host=host, cpus="0-1", cpus_allowed=2.0, load_before=0.0, load_after=0.0)
    return made.model_copy(update={"provenance": made.provenance.model_copy(update={"conditions": told})})


def test_one_slow_node_is_named() -> None:
    pace = {"node-a": 100.0, "node-b": 101.0, "node-c": 130.0}
    records = [timed(host, ms + number, f"algo{number}") for host, ms in pace.items() for number in range(2)]
    (sentence,) = slow_nodes(records)
    assert sentence.startswith("node node-c of ") and " takes 1.29 times as long " in sentence


def test_what_differs_by_its_work_is_not_slow() -> None:
    assert slow_nodes([timed("node-a", 100.0, "frb"), timed("node-b", 400.0, "frb", "640x360-t1")]) == []
    assert slow_nodes([timed("node-a", 100.0, "frb"), timed("node-b", 105.0, "bnn")]) == []


@pytest.fixture
def parts(bench, tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        words = [*WORDS, "--track", "count", "--cells", f"{(number - 1) % 3 + 1}/3"]
        assert bench(*words, "--seed", number if number == 10 else 0, "--out", tmp_path / f"part-{number}")[0] == 0
    return tmp_path


def test_a_pattern_takes_every_part_in_the_order_of_its_number(bench, parts: Path) -> None:
    from bench.app.report import _stores

    assert [path.name for path in _stores([str(parts / "part-*")])] == ["part-1", "part-2", "part-10"]
    code, out, errors = bench("report", "--store", parts / "part-*", "--out", parts / "page", "--report", "md")
    assert code == 0 and "Page: " in out and "note: " not in errors


def test_a_pattern_that_matches_nothing(bench, tmp_path: Path) -> None:
    code, _, errors = bench("report", "--store", tmp_path / "nothing-*")
    assert code == 2 and "no folder matches" in errors
