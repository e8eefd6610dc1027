"""The page as a file: its size, what it asks for, where its links lead. The page alive is in test_browser*.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_records import CARDS, realistic, thousand
from page_parts import Page, data_of

import reports
from bench.records.store import Store
from bench.scoring import ScoringRule
from reports.board import boards
from reports.html import page
from reports.known import known
from reports.payload import provenance
from reports.tables import track_table, tracks_in


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Store(tmp_path_factory.mktemp("store"))
    for one in reports.latest(realistic()):
        made.write(one)
    return made.root


def test_a_thousand_rows_with_all_their_charts_stay_below_300_kb() -> None:
    made, names = reports.latest(thousand()), known(CARDS)
    tables = [track_table(made, track, names) for track in tracks_in(made)]
    assert sum(len(table.rows) for table in tables) >= 1000
    text = page(made, tables, boards(made, ScoringRule(), names), ScoringRule(), names)
    assert len(text.encode()) < 300_000
    data = data_of(text)
    assert [len(table["rows"]) for table in data["tables"]] == [len(table.rows) for table in tables]
    assert all("<svg" in picture for picture in data["pictures"]) and len(data["pictures"]) > 30
    told = [[data["facts"][fact] for fact in data["factLists"][one[1]]] for one in data["records"]]
    assert told == [[list(line) for line in provenance(one).items()] for one in made]


def test_no_network_is_asked_for(tmp_path: Path, store: Path) -> None:
    (made,) = reports.build([store], tmp_path / "out", ["html"], CARDS)
    text = made.read_text()
    assert not re.search(r"<[^>]*\s(?:src|srcset|action|poster)=", text)
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_a_site_links_to_its_own_pages(tmp_path: Path, store: Path) -> None:
    made = reports.build([store], tmp_path / "out", ["site"], CARDS)
    assert len(made) == 1 + len(CARDS) + 4 + 1  # the first page, methods, tracks, the check of the order
    for path in made:
        links = [attributes.get("href") or "#" for _, attributes in Page(path.read_text()).tags]
        local = [link for link in links if not link.startswith(("http", "#"))]
        assert local and all((path.parent / link).resolve().is_file() for link in local), path
    method = (tmp_path / "out" / "methods" / "frb.html").read_text()
    assert "a1*sign(W)" in method and "--algos frb --track infer" in method
