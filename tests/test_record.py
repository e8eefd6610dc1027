"""Records: what may be written, and that nothing doubtful is read."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.contract import Cell, Metric, Outcome
from bench.records import upgrade
from bench.records.record import (
    SCHEMA,
    Machine,
    Provenance,
    Record,
    RecordError,
    canonical,
    from_text,
    measured,
    sha256,
    to_text,
)
from bench.records.store import Store

CELL = Cell("infer", "frb", "srresnet", "x2", "320x180-t1")
MACHINE = Machine(id="cpu-2c-abc123", cpu="A CPU", cores=2, arch="x86_64", system="Linux")


def provenance(**changes: Any) -> Provenance:
    facts = dict(
        utc="2026-01-01T00:00:00+00:00", commit="c" * 40, dirty=False, version="0.1.0", track_version=1,
        adapter_sha256="a" * 64, seed=0, device="cpu", threads=1, isa=["avx2"], packages={"torch": "2"},
        machine=MACHINE, settings={"repeats": 3}, fingerprint="f" * 64,
    )  # fmt: skip
    return Provenance(**{**facts, **changes})


def record(**changes: Any) -> Record:
    metrics = measured(Outcome({"latency": 1 / 3}), (Metric("latency", "ms", "lower", "Latency", "Median", 3),))
    facts = dict(
        cell=CELL, status="ok", machine_bound=True, metrics=metrics, samples={"latency_ms": [0.1, 1e-17, 3.0]},
        flags=["unstable"], details={"layers": [{"name": "é", "share": 0.5}]}, kernels={"body.0": "avx2"},
        provenance=provenance(),
    )  # fmt: skip
    return Record(**{**facts, **changes})


def place(item: Record) -> Path:
    return Path("store") / item.relative_path


def refused(text: str, path: Path | None = None) -> RecordError:
    with pytest.raises(RecordError) as caught:
        from_text(text, path or place(record()))
    assert str(caught.value).startswith(str(path or place(record()))), "the message names the file"
    return caught.value


def rewritten(change: Any) -> str:
    """A record's text with its content changed and its hash made to fit again."""
    content = json.loads(to_text(record()))
    del content["sha256"]
    change(content)
    return json.dumps({**content, "sha256": sha256(content)})


def test_round_trip_keeps_every_bit() -> None:
    again = from_text(to_text(record()), place(record()))
    assert again == record()
    assert again.metrics["latency"].value == 1 / 3
    assert again.cell == CELL


def test_path_is_the_identity() -> None:
    assert str(record().relative_path) == "cpu-2c-abc123/infer/frb.srresnet.x2.320x180-t1.json"
    assert str(record(machine_bound=False).relative_path) == "any/infer/frb.srresnet.x2.320x180-t1.json"
    second = record(provenance=provenance().model_copy(update={"seed": 1}))
    assert str(second.relative_path) == "cpu-2c-abc123/infer/frb.srresnet.x2.320x180-t1.s1.json"


@given(st.integers(min_value=0, max_value=len(to_text(record())) - 2))
def test_a_record_cut_anywhere_is_refused(length: int) -> None:
    error = refused(to_text(record())[:length])
    assert error.damage == "damaged"
    assert "same command again" in str(error)


@given(st.integers(min_value=0, max_value=len(to_text(record())) - 2), st.sampled_from('09a-"{} x'))
def test_no_edit_of_the_content_goes_unnoticed(position: int, letter: str) -> None:
    text = to_text(record())
    edited = text[:position] + letter + text[position + 1 :]
    try:
        read = from_text(edited, place(record()))
    except RecordError:
        return
    assert read == record(), "only white space may differ"


def test_an_edited_number_is_refused_with_the_reason() -> None:
    assert "changed after it was written" in str(refused(to_text(record()).replace("0.1", "0.2", 1)))


def test_a_later_schema_is_refused_and_not_called_damaged() -> None:
    error = refused(rewritten(lambda content: content.update(schema_version=SCHEMA + 1, invention=1)))
    assert error.damage == "future"
    assert "Update" in str(error)


def test_a_misplaced_record_names_its_place() -> None:
    error = refused(to_text(record()), Path("store/any/infer/bbcu.srresnet.x2.320x180-t1.json"))
    assert error.damage == "misplaced"
    assert str(record().relative_path) in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(invention=1),
        lambda c: c["provenance"].update(host="somebody"),
        lambda c: c["cell"].update(extra=1),
        lambda c: c["cell"].update(case="../../etc"),
        lambda c: c["cell"].update(level=True),
        lambda c: c.pop("provenance"),
        lambda c: c.update(status="fine"),
        lambda c: c.update(reason="but why"),
        lambda c: c.update(status="failed"),
        lambda c: c.update(schema_version=0),
    ],
)
def test_a_wrong_field_is_refused_even_with_a_fitting_hash(change: Any) -> None:
    assert refused(rewritten(change)).damage == "damaged"


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "1", '{"schema_version": "1"}', "[" * 100_000])
def test_what_is_no_record_is_refused(text: str) -> None:
    assert refused(text).damage == "damaged"


def test_nan_is_refused_in_files() -> None:
    assert "NaN is not allowed" in str(refused(to_text(record()).replace("1e-17", "NaN")))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinity_cannot_be_written(value: float) -> None:
    with pytest.raises(ValidationError):
        record(samples={"latency_ms": [value]})
    with pytest.raises(ValidationError):
        record(details={"deep": [{"down": value}]})
    with pytest.raises(ValueError, match="not a finite number: latency"):
        measured(Outcome({"latency": value}), (Metric("latency", "ms", "lower"),))
    with pytest.raises(ValueError, match="JSON"):
        canonical({"x": value})


def test_metrics_carry_what_a_table_needs_in_the_tracks_order() -> None:
    declared = (Metric("a", "ms", "lower", "A", "help", 1), Metric("b", "x", "higher"), Metric("c", "", "neither"))
    got = measured(Outcome({"b": 2, "a": 1.0}), declared)
    assert list(got) == ["a", "b"]
    assert got["a"].model_dump() == dict(value=1.0, unit="ms", better="lower", title="A", help="help", digits=1)


def test_an_undeclared_metric_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not declare: c"):
        measured(Outcome({"c": 1.0}), (Metric("a", "ms", "lower"),))


def test_a_gap_needs_a_reason_and_no_numbers() -> None:
    assert record(status="unsupported", reason="no such scale", metrics={}).reason == "no such scale"
    for wrong in (dict(status="unsupported", metrics={}), dict(status="failed", reason="x"), dict(reason="x")):
        with pytest.raises(ValidationError):
            record(**wrong)


def test_a_record_of_schema_1_reads_and_is_rewritten_as_todays(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = tmp_path / "store"
    shutil.copytree(Path(__file__).parent / "earlier_schemas", store)
    (path,) = Store(store).files()
    old = from_text(path.read_text(encoding="utf-8"), path)
    assert (old.schema_version, old.cell.level, old.cell.scale, old.cell.task) == (SCHEMA, "x4", 4, "sr")
    assert upgrade.main([str(store)]) == 0 and upgrade.main([str(store)]) == 0
    assert capsys.readouterr().out.split()[0::4] == ["1", "0"]
    assert json.loads(path.read_text())["schema_version"] == SCHEMA
    assert from_text(path.read_text(encoding="utf-8"), path) == old


@pytest.mark.parametrize("scale", [True, 0, "4", None])
def test_a_wrong_scale_of_schema_1_is_refused(scale: object, tmp_path: Path) -> None:
    (path,) = Store(Path(__file__).parent / "earlier_schemas").files()
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["sha256"]
    content["cell"]["scale"] = scale
    assert refused(json.dumps({**content, "sha256": sha256(content)}), path).damage == "damaged"
