"""Tables on a terminal: they fit its width, say what they leave out, and are coloured only where asked for."""

from __future__ import annotations

import re

import pytest
from fake_records import CARDS, realistic, record

import reports
from bench.records.record import Record
from reports.console import console_text
from reports.known import Known
from reports.table import Table
from reports.tables import track_table

OFFLINE = Known(cards=CARDS)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return reports.latest(realistic())


def longest(text: str) -> int:
    return max(map(len, text.splitlines()))


@pytest.fixture(params=["accuracy", "robust", "comp", "infer", "train"])
def table(request: pytest.FixtureRequest, records: list[Record]) -> Table:
    return track_table(records, request.param, OFFLINE)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_table_fits_and_names_what_it_leaves_out(table: Table, width: int) -> None:
    text = console_text(table, width)
    assert longest(text) <= width
    flat = " ".join(text.split())
    left = re.search(r"No room for: (.*)\. --wide", flat)
    everything = " ".join(console_text(table).split())
    for column in table.columns:
        named = f"{column.group} {column.title}".strip()
        if column.shown and not column.text and column.key != "scale" and column.title in everything:
            assert column.title in flat or (left and named in left[1]), column.key


def test_wide_shows_every_column(table: Table) -> None:
    text = console_text(table)
    assert "No room for" not in text
    for column in table.columns:
        if column.shown and column.key != "flags":
            assert column.title in text


def test_the_ratio_of_the_infer_table_can_be_checked(records: list[Record]) -> None:
    text = console_text(track_table(records, "infer", OFFLINE), 80)
    heads = next(line for line in text.splitlines() if line.startswith("Method"))
    assert heads.split("  ")[0] == "Method"
    assert re.search(r"Latency\s+FP32 latency\s+Speed-up", heads)


def test_what_all_rows_share_stands_in_the_title() -> None:
    made = [record("comp", key, "srresnet", 4, "320x180", {"params_k": 9.0}) for key in ("frb", "bbcu")]
    assert console_text(track_table(made, "comp", OFFLINE), 80).splitlines()[0].endswith(": 1/1 bits, SRResNet, x4")


def test_flags_name_the_fewer_rows() -> None:
    flags = {"frb": ["unstable"], "bbcu": ["unstable", "odd"], "bnn": ["unstable"], "fp32": []}
    made = [record("comp", key, "srresnet", 4, "320x180", {"params_k": 9.0}, flags=f) for key, f in flags.items()]
    text = console_text(track_table(made, "comp", OFFLINE), 80)
    assert "unstable: all but Full precision." in text
    assert "odd: BBCU-L." in text or "odd: BBCU." in text


def test_colours_only_where_asked_for(records: list[Record]) -> None:
    table = track_table(records, "infer", OFFLINE)
    plain, coloured = console_text(table, 80), console_text(table, 80, colour=True)
    assert "\x1b" not in plain and "\x1b[1;32m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
