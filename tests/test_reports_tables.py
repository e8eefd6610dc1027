"""The neutral table of records and its text forms: right numbers, marks, headings."""

from __future__ import annotations

import pytest
from fake_records import CARDS, MACHINE, realistic, record

import reports
from bench.records.record import Record
from reports.console import console_text
from reports.known import Known, known
from reports.latex import tabular
from reports.table import Column, Entry, Row, marked
from reports.tables import track_table

OFFLINE = Known(cards=CARDS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return reports.latest(realistic())


def test_marks_by_hand() -> None:
    column = Column("v", "V", better="lower", digits=1)

    def rows(*values: float | None, reference: int | None = None) -> list[Row]:
        return [
            Row(str(i), str(i), "b", 2, {"v": Entry(value)}, reference=i == reference) for i, value in enumerate(values)
        ]

    def marks(found: list[Row]) -> list[str]:
        return [row.entries["v"].mark for row in marked(found, [column], lambda row: row.scale)]

    assert marks(rows(3.0, 1.0, 2.0)) == ["", "best", "second"]
    assert marks(rows(3.0, 1.01, 1.02, 2.0, 4.0)) == ["", "best", "best", "", ""]  # equal as printed; no second then
    assert marks(rows(1.0, 1.0, 2.0, 3.0)) == ["", "", "", ""]  # half of the group is best: that says nothing
    assert marks(rows(0.5, 1.0, 2.0, reference=0)) == ["", "best", "second"]
    assert marks(rows(1.0, None)) == ["", ""]
    assert marks(rows(1.0)) == [""]


def test_losing_little_is_no_merit_of_its_own(records: list[Record]) -> None:
    more = record("robust", "frb", "srresnet", 2, "set14", {"gain_db": 1.0, "relative_gap": 0.5})
    better = {column.key: column.better for column in track_table([*records, more], "robust", OFFLINE).columns}
    silent = ("gap_db", "gap_floored_db", "relative_gap", "psnr_corrupted", "mean_gaussian_noise")
    assert {better[key] for key in silent} == {"neither"} and better["gain_db"] == "higher"


def test_a_network_that_keeps_too_little_is_not_ranked_by_speed() -> None:
    quality = {"bicubic": 30.0, "fp32": 34.0, "bnn": 31.0, "frb": 33.0, "bbcu": 33.2}
    made = [record("accuracy", a, "none" if a == "bicubic" else "srresnet", 2, "set5", {"psnr_y": p})
            for a, p in quality.items()]  # fmt: skip
    timed = {"bnn": 9.0, "frb": 2.0, "bbcu": 3.0}
    made += [
        record("infer", a, "srresnet", 2, "96x54-t1", {"speedup": s, "parity_max_abs": 0.0}) for a, s in timed.items()
    ]
    rows = {row.algo: row for row in track_table(made, "infer", OFFLINE).rows}
    assert {algo: row.entries["speedup"].mark for algo, row in rows.items()} == {
        "bnn": "",
        "frb": "second",
        "bbcu": "best",
    }
    assert rows["bnn"].entries["speedup"].value == 9.0, "shown"
    assert "keeps 25% of fp32's gain over bicubic (gate 50%)" in rows["bnn"].entries["flags"].value
    untold = [one for one in made if one.cell.track == "infer"]
    assert track_table(untold, "infer", OFFLINE).rows[0].entries["speedup"].mark == "best", "nothing known of quality"


def test_runs_that_taught_nothing_are_named_in_the_row() -> None:
    made = record("train", "frb", "srresnet", 2, "3x2x8-t1", {"taught_nothing": 2.0, "train_speedup": 0.5},
                  details={"taught_nothing": ["adam 0.0001 step", "sgd 0.01 cosine"]})  # fmt: skip
    (row,) = track_table([made], "train", OFFLINE).rows
    assert row.entries["taught_nothing"].value == 2.0
    assert row.entries["flags"].value == "taught nothing: adam 0.0001 step, sgd 0.01 cosine"


def test_infer_table(records: list[Record]) -> None:
    table = track_table(records, "infer", OFFLINE)
    by_id = {row.id: row for row in table.rows}
    row = by_id["frb.srresnet.x2.320x180-t1"]
    source = next(r for r in records if r.cell.name == row.id and r.cell.track == "infer")
    values = {key: measured.value for key, measured in source.metrics.items()}
    assert row.entries["latency_ms"].value == values["latency_ms"]
    assert row.entries["latency_ms"].spread == values["latency_iqr_ms"]
    assert row.entries["file_bytes"].value == values["file_bytes"] / 1000
    assert row.entries["kernel"].value == "avx2"
    assert [c.key for c in table.columns if c.shown] == [
        "method", "bits", "backbone", "scale", "latency_ms", "fp32_latency_ms", "speedup", "speedup_theory",
        "file_bytes", "parity_max_abs", "peak_memory_mb", "kernel", "flags",
    ]  # fmt: skip
    missing = by_id["btm.srresnet.x2.320x180-t1"]
    assert missing.entries["latency_ms"].value is None
    assert missing.entries["flags"].value == "unsupported: no packed form: attention in the unit"
    assert by_id["dorefa.srresnet.x2.320x180-t1"].flags == ("unstable",)


def test_no_parity_no_number() -> None:
    values = {"latency_ms": 100.0, "latency_iqr_ms": 1.0, "speedup": 3.0, "file_bytes": 9000.0}
    good = record("infer", "frb", "srresnet", 2, "320x180-t1", values | {"parity_max_abs": 0.0})
    bad = record("infer", "bbcu", "srresnet", 2, "320x180-t1", values)
    shown, hidden = (track_table([r], "infer", OFFLINE).rows[0] for r in (good, bad))
    assert shown.entries["latency_ms"].value == 100.0
    for key in ("latency_ms", "speedup"):
        assert hidden.entries[key].value is None
        assert "no parity check" in hidden.entries[key].note
    assert hidden.entries["file_bytes"].value == 9.0
    assert "no parity check" in hidden.entries["flags"].value
    assert "100.0" not in console_text(track_table([bad], "infer", OFFLINE))


def test_accuracy_table_joins_complexity_seeds_and_published_numbers() -> None:
    made = [
        record("accuracy", "frb", "srresnet", 2, "set5", {"psnr_y": psnr, "ssim_y": 0.95}, seed=seed)
        for seed, psnr in enumerate((37.0, 37.2, 37.4))
    ]
    made.append(record("comp", "frb", "srresnet", 2, "320x180", {"params_k": 250.0, "fp_params_k": 1000.0}))
    made.append(record("accuracy", "frb", "srresnet", 2, "set14", reason="no data"))
    table = track_table(made, "accuracy", known(CARDS))
    (row,) = table.rows
    psnr = row.entries["set5:psnr_y"]
    assert psnr.value == pytest.approx(37.2) and psnr.spread == pytest.approx(0.2)
    assert [(quote.value, quote.source) for quote in psnr.quotes] == [(37.71, "frb_paper"), (37.63, "frb_slides")]
    assert row.entries["comp:params_k"].change == pytest.approx(-75.0)
    assert row.entries["set14:psnr_y"].note == "unsupported: no data"
    assert row.entries["flags"].value == "unsupported: no data (Set14)"
    assert [c.group for c in table.columns if c.key.endswith("psnr_y")] == ["Set5", "Set14"]
    assert "Protocol sr-y-v1." in table.notes


def test_published_complexity_stands_beside_the_paper_convention() -> None:
    made = record("comp", "frb", "srresnet", 2, "320x180", {"params_k_paper": 224.6, "ops_g_paper": 18.5})
    (row,) = track_table([made], "comp", known(CARDS)).rows
    assert {quote.value for quote in row.entries["params_k_paper"].quotes} == {225.0}
    assert {quote.value for quote in row.entries["ops_g_paper"].quotes} == {18.6}


def test_robust_table_folds_severities(records: list[Record]) -> None:
    table = track_table(records, "robust", OFFLINE)
    row = next(row for row in table.rows if row.id == "frb.srresnet.x2.set5")
    source = next(r for r in records if r.cell.track == "robust" and r.cell.name == row.id)
    values = [source.metrics[f"psnr_contrast_s{severity}"].value for severity in range(1, 6)]
    assert row.entries["mean_contrast"].value == pytest.approx(sum(values) / 5)
    assert "psnr_contrast_s1" not in row.entries


def test_machines_are_told_apart() -> None:
    other = MACHINE.model_copy(update={"id": "other-8c-111111"})
    values = {"latency_ms": 100.0, "parity_max_abs": 0.0}
    made = [record("infer", "frb", "srresnet", 2, "96x54-t1", values, machine=machine) for machine in (MACHINE, other)]
    assert [row.id for row in track_table(made, "infer", OFFLINE).rows] == [
        "frb.srresnet.x2.96x54-t1@imaginary-2c-000000", "frb.srresnet.x2.96x54-t1@other-8c-111111",
    ]  # fmt: skip


def test_a_track_without_a_layout_and_a_method_without_a_card() -> None:
    made = [record("novel", "mine", "srresnet", 2, case, values) for case, values in (("a", {"thing": 1.5}), ("b", {}))]
    text = console_text(track_table(made, "novel", OFFLINE))
    assert "thing" in text and "mine" in text and "1.50" in text


def test_latex_in_the_form_of_the_field(records: list[Record]) -> None:
    text = tabular(track_table(records, "accuracy", OFFLINE))
    assert "\\multicolumn{2}{c}{Set5}" in text and "\\cmidrule(lr){6-7}" in text
    assert "\\multicolumn{15}{l}{$\\times$2} \\\\" in text
    assert "Bits (W/A)" in text and "\\down{81.8}" in text
    frb = next(line for line in text.splitlines() if line.startswith("FRB"))
    assert "\\best{37.68}" in frb
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1


def test_rows_without_a_number_stand_below_the_console_table_by_reason() -> None:
    made = [record("accuracy", "frb", "srresnet", 4, "set5", {"psnr_y": 31.0})]
    made += [record("accuracy", key, "srresnet", 4, "set5", status="unsupported", reason="no weights") for key in "ab"]
    text = console_text(track_table(made, "accuracy", OFFLINE))
    assert "No number: a srresnet x4, b srresnet x4: unsupported: no weights" in text
    assert sum(line.startswith(("a ", "b ")) for line in text.splitlines()) == 0


def test_headings_point_towards_better_values() -> None:
    made = [
        record("comp", key, "srresnet", 4, "320x180", {"params_k": 9.0, "compression": 4.0}) for key in ("frb", "bnn")
    ]
    text = console_text(track_table(made, "comp", OFFLINE))
    units = next(line for line in text.splitlines() if line.startswith("W/A") or " W/A " in line)
    assert units.split()[1:] == ["K", "\N{DOWNWARDS ARROW}", "x", "\N{UPWARDS ARROW}"]
