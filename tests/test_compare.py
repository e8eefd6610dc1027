"""What ``compare`` calls better, worse or noise."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fake_records import record

from bench.app import compare as cli_compare
from bench.app.compare import main
from bench.contract import UserError
from bench.records import changes as module
from bench.records.changes import compare
from bench.records.record import Record
from bench.records.store import Store


def timed(latency: float, full: float = 800.0, seed: int = 1, count: int = 20, **more: float) -> Record:
    chance = random.Random(seed)
    packed = [latency * (1 + abs(chance.gauss(0, 0.02))) for _ in range(count)]
    fp32 = [full * (1 + abs(chance.gauss(0, 0.02))) for _ in range(count)]
    median = sorted(packed)[count // 2]
    values = {"latency_ms": median, "speedup": full / latency, "peak_memory_mb": 300 + seed, **more}
    raw = {"packed_ms": packed, "fp32_ms": fp32}
    return record("infer", "frb", "srresnet", 2, "320x180-t1", values, samples=raw)


def verdicts(before: list[Record], after: list[Record]) -> dict[str, str]:
    return {change.metric: change.verdict for change in compare(before, after)}


def test_noise_is_no_change() -> None:
    for seed in range(2, 12):
        assert verdicts([timed(300.0)], [timed(300.0, seed=seed)]) == {}


def test_a_real_slowdown_is_worse_and_a_speed_up_better() -> None:
    assert verdicts([timed(300.0)], [timed(330.0, seed=2)]) == {"latency_ms": "worse", "speedup": "worse"}
    assert verdicts([timed(300.0)], [timed(270.0, seed=2)]) == {"latency_ms": "better", "speedup": "better"}


def test_a_slower_machine_leaves_the_speed_up_alone() -> None:
    changes = compare([timed(300.0)], [timed(360.0, full=960.0, seed=2)])
    assert {change.metric: change.verdict for change in changes} == {"latency_ms": "worse"}
    assert changes[0].p < 0.01


def test_small_changes_are_told_only_on_request() -> None:
    pair = [timed(300.0, count=60)], [timed(304.5, seed=2, count=60)]
    assert {change.metric for change in compare(*pair)} == set()
    assert {change.metric for change in compare(*pair, least=0.5)} >= {"speedup"}


def test_few_samples_are_not_judged() -> None:
    found = compare([timed(300.0, count=4)], [timed(600.0, count=4)])
    assert [(change.verdict, change.metric) for change in found] == [("too few samples", "timings")]


def test_correction_for_many_timings_by_hand() -> None:
    tests = [
        module._Test(module.Change("c", name, 1.0, 2.0, "changed", p), "lower", p)
        for name, p in (("a", 0.001), ("b", 0.004), ("c", 0.006), ("d", 0.5))
    ]
    found = {change.metric: change.p for change in module._judge(tests, 0.01)}
    # p * tests / place in order, and never below what the next one has
    assert found == {"a": pytest.approx(0.004), "b": pytest.approx(0.008), "c": pytest.approx(0.008)}
    assert [change.metric for change in module._judge(tests, 0.005)] == ["a"]


def test_a_board_of_few_samples_says_that_single_changes_may_go_untold() -> None:
    def board(seed: int, changed: int = 0) -> list[Record]:
        made = [timed(300.0 - 60 * (place < changed), seed=seed + place, count=7) for place in range(60)]
        return [one.model_copy(update={"cell": replace(one.cell, algo=f"a{place}")}) for place, one in enumerate(made)]

    (blind,) = compare(board(1), board(101))
    assert (blind.verdict, blind.cell) == ("too few samples", "")
    assert blind.note.startswith("120 of 120 timings: one change alone")
    told = {change.cell for change in compare(board(1), board(101, changed=20)) if change.verdict == "better"}
    assert {f"infer/a{place}.srresnet.x2.320x180-t1 @imaginary-2c-000000" for place in range(20)} <= told
    assert len(told) <= 22
    assert compare([timed(300.0)], [timed(300.0, seed=2)]) == []


def scored(psnr: float, **more: object) -> Record:
    return record("accuracy", "frb", "srresnet", 2, "set5", {"psnr_y": psnr}, **more)


def test_deterministic_metrics_are_exact() -> None:
    assert verdicts([scored(37.0)], [scored(37.0)]) == {}
    assert verdicts([scored(37.0)], [scored(37.0 + 1e-9)]) == {"psnr_y": "better"}
    assert verdicts([scored(37.0)], [scored(36.9)]) == {"psnr_y": "worse"}
    old, new = (timed(300.0, file_bytes=float(size)) for size in (1000, 1001))
    assert verdicts([old], [new]) == {"file_bytes": "worse"}


def test_cells_that_come_go_fail_or_differ_in_their_settings() -> None:
    failed = record("accuracy", "frb", "srresnet", 2, "set5", reason="out of memory", status="failed")
    assert [c.verdict for c in compare([scored(37.0)], [failed])] == ["worse"]
    assert [c.verdict for c in compare([failed], [scored(37.0)])] == ["better"]
    assert [c.verdict for c in compare([scored(37.0)], [])] == ["gone"]
    assert [c.verdict for c in compare([], [scored(37.0)])] == ["new"]
    other = scored(37.0)
    other = other.model_copy(update={"provenance": other.provenance.model_copy(update={"dataset_sha256": "9" * 64})})
    (change,) = compare([scored(37.0)], [other])
    assert (change.verdict, change.note) == ("not comparable", "data differs")


def store(folder: Path, *records: Record) -> str:
    for one in records:
        Store(folder).write(one)
    return str(folder)


def test_a_subset_is_held_against_what_is_common(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = record("accuracy", "bbcu", "srresnet", 2, "set5", {"psnr_y": 36.5})
    third = record("accuracy", "bnn", "srresnet", 2, "set5", {"psnr_y": 35.0})
    whole, part = store(tmp_path / "a", scored(37.0), other, third), store(tmp_path / "b", scored(37.1), third)
    assert main([whole, part]) == 0
    out = capsys.readouterr().out
    assert "Cells in both: 2, of which 1 equal within noise, 1 better. Only in A: 1. Only in B: 0." in out
    assert "gone" not in out
    assert main([whole, part, "--complete"]) == 1
    assert "accuracy/bbcu.srresnet.x2.set5" in capsys.readouterr().out
    assert main([part, whole, "--complete"]) == 1 and "Only in B: 1" in capsys.readouterr().out


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = store(tmp_path / "a", scored(37.0)), store(tmp_path / "b", scored(36.0))
    assert main([good, good]) == 0
    same = "Cells in both: 1, of which 1 equal within noise. Only in A: 0. Only in B: 0.\n"
    assert capsys.readouterr().out == same
    assert main([good, bad]) == 1
    told = capsys.readouterr().out
    assert "accuracy/frb.srresnet.x2.set5" in told and "-2.7%" in told and "1 worse." in told
    assert main([bad, good]) == 0


def test_a_commit_stands_for_its_committed_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    monkeypatch.setattr(cli_compare, "ROOT", tmp_path)
    git("init", "-q")
    for psnr, tag in ((37.0, "old"), (36.0, "new")):
        store(tmp_path / "results/reference", scored(psnr))
        git("add", ".")
        git("commit", "-qm", tag)
        git("tag", tag)
    assert main(["old", "new"]) == 1
    assert main(["new", "old"]) == 0
    assert main(["old", str(tmp_path / "results/reference")]) == 1


@pytest.mark.parametrize("name", ["nothing-of-the-kind", "--output=x", ""])
def test_neither_folder_nor_commit(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="neither a folder of records nor a commit"):
        cli_compare._extract(name, tmp_path)
    with pytest.raises(UserError, match="no records there"):
        main([str(tmp_path), str(tmp_path)])
