"""A user's own class on pages made later, by readers who do not have it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_records import CARDS, record
from page_parts import data_of

import reports
from bench.app.main import main
from bench.plan.command import command
from bench.records.record import CardNote, Record, from_text, to_text
from bench.records.store import Store, load
from reports.known import known

SOURCE = """
from torch import nn
from bench.nn.algorithm import Algorithm
from bench.contract import Card

class Mine(Algorithm):
    card = Card(key="mine", name="My <b>own</b>", adapter="x:Mine", bits_w=2, bits_a=3, bases=2, family="low-bit",
                provenance="our reading", url="https://example.org/mine")

    def conv(self, cin, cout, kernel, *, place):
        return nn.Conv2d(cin, cout, kernel, padding=kernel // 2)
"""
NOTE = CardNote(
    name="My <b>own</b>", adapter="mine.py:Mine", bits_w=2, bits_a=3, bases=2, family="low-bit",
    provenance="our reading", url="https://example.org/mine",
)  # fmt: skip


def noted(note: CardNote, **more: str) -> Record:
    one = record("comp", "mine", "srresnet", 2, "320x180", {"params_k": 5.0, "ops_g": 1.0}, **more)
    return one.model_copy(update={"provenance": one.provenance.model_copy(update={"card": note})})


def test_a_record_notes_the_card_of_a_users_own_class_and_of_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "someone"
    folder.mkdir()
    (folder / "mine.py").write_text(SOURCE)
    store = Store(tmp_path / "store")
    words = ["--algos", f"{folder / 'mine.py'}:Mine,fp32", "--track", "comp", "--lr-size", "48x32"]
    main([*words, "--out", str(store.root)])
    texts = {path.name.split(".")[0]: path.read_text() for path in store.files()}
    assert "card" not in json.loads(texts["fp32"])["provenance"]
    assert json.loads(texts["mine"])["provenance"]["card"] == NOTE.model_dump()
    assert "someone" not in texts["mine"], "folders are nobody's business"


def test_a_page_made_later_knows_the_method(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.write(noted(NOTE))
    assert load([store.root]).records == [noted(NOTE)]
    made = reports.build([store.root], tmp_path / "out", ["html", "site"])
    facts = data_of(made[0].read_text())["methods"]["mine"]
    assert (facts["name"], facts["bits"], facts["family"]) == ("My <b>own</b>", "2/3", "low-bit")
    assert facts["url"] == "https://example.org/mine" and ["Bases", "2"] in facts["facts"]
    assert "My &lt;b&gt;own&lt;/b&gt;" in (tmp_path / "out/methods/mine.html").read_text()
    assert "2/3" in reports.table_text([noted(NOTE)], "comp")


def test_its_command_names_the_class() -> None:
    one = noted(NOTE)
    assert "--algos mine.py:Mine --track comp" in str(command(one, known(records=[one]).cards["mine"]))


def test_the_latest_note_counts_and_an_installed_card_more() -> None:
    older = noted(NOTE, utc="2029-01-01T00:00:00+00:00")
    newer = noted(NOTE.model_copy(update={"name": "Renamed"}), utc="2031-01-01T00:00:00+00:00")
    assert known(records=[newer, older]).method("mine") == "Renamed"
    one = noted(NOTE)
    taken = one.model_copy(update={"cell": record("comp", "frb", "srresnet", 2, "320x180").cell})
    assert known(records=[taken]).method("frb") == "FRB"
    assert known({"mine": CARDS["bnn"]}, [one]).method("mine") == "BNN"


def test_a_hostile_note_is_text(tmp_path: Path) -> None:
    evil = {"name": "<script>alert(1)</script>\u202e", "url": "javascript:alert(1)", "adapter": "x.py:X; rm -rf /"}
    one = noted(NOTE.model_copy(update=evil))
    store = Store(tmp_path / "store")
    store.write(one)
    made = reports.build([store.root], tmp_path / "out", ["html", "site"])
    for path in made:
        text = path.read_text()
        assert "<script>alert" not in text and "\u202e" not in text and "javascript:alert" not in text
    facts = data_of(made[0].read_text())["methods"]["mine"]
    assert facts["url"] == "" and "\u202e" not in facts["name"]
    assert "--algos 'x.py:X; rm -rf /' " in str(command(one))


@pytest.mark.parametrize("note", [None, NOTE])
def test_records_with_and_without_a_note_are_read(note: CardNote | None) -> None:
    one = noted(NOTE) if note else record("comp", "frb", "srresnet", 2, "320x180", {"params_k": 5.0})
    text = to_text(one)
    assert ('"card"' in text) == bool(note)
    assert from_text(text, Path("store") / one.relative_path) == one
