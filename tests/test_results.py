"""What the repository vouches for: every committed record loads strictly, and the README pages are current."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.contract.backbones import BACKBONES
from bench.nn.weights import check_record, stored_weights
from bench.plan.discover import discover
from bench.records.store import Loaded, load
from reports import readme

REFERENCE = Path(__file__).parents[1] / "results" / "reference"


@pytest.fixture(scope="module")
def reference() -> Loaded:
    return load([REFERENCE])


def test_reference_records_are_whole_and_clean(reference: Loaded) -> None:
    assert reference.records and not reference.problems
    dirty = [str(record.cell) for record in reference.records if record.provenance.dirty or "dirty" in record.flags]
    assert not dirty
    assert {record.origin for record in reference.records} == {"measured"}


def test_latencies_stand_beside_a_passing_parity_check(reference: Loaded) -> None:
    timed = [r for r in reference.records if r.cell.track == "infer" and r.status == "ok"]
    assert timed
    for record in timed:
        assert record.metrics["parity_max_abs"].value <= 1e-5, record.cell
        assert record.details["parity"]["layer_error"] <= 1e-5, record.cell


def test_a_network_is_scored_corrupted_and_timed_with_the_same_weights(reference: Loaded) -> None:
    artefacts: dict[tuple[str, str, int, int], dict[str | None, str]] = {}
    for record in reference.records:
        cell, made = record.cell, record.provenance
        if cell.track in ("accuracy", "robust", "infer") and record.status == "ok":
            network = (cell.algo, cell.backbone, cell.level, made.seed)
            artefacts.setdefault(network, {}).setdefault(made.weights_sha256, str(cell))
    assert artefacts
    assert [places for places in artefacts.values() if len(places) > 1] == []


def test_reference_weights_are_those_that_were_scored(reference: Loaded) -> None:
    cards = discover().cards
    scored = [r for r in reference.records if r.cell.track == "accuracy" and r.provenance.weights_sha256]
    assert scored
    for record in scored:
        cell, made = record.cell, record.provenance
        path = stored_weights(cards[cell.algo], cell.backbone, cell.level, made.seed)
        assert path is not None and check_record(path)["weights_sha256"] == made.weights_sha256, cell


def test_generated_tables_are_current_and_all_used() -> None:
    texts = [page.read_text(encoding="utf-8") for page in readme.PAGES]
    assert [readme.generated(text) for text in texts] == texts, "run: python -m reports.readme"
    used = [match[1] for text in texts for match in readme.SECTION.finditer(text)]
    assert sorted(used) == sorted(readme.SECTIONS)


def test_every_pair_was_tried_and_none_failed() -> None:
    pairs = json.loads(readme.PACKING.read_text(encoding="utf-8"))["pairs"]
    low_bit = {key for key, card in discover().cards.items() if not card.full_precision and not card.printed_of}
    assert pairs.keys() == low_bit
    for key, row in pairs.items():
        assert row.keys() == BACKBONES.keys(), key
        assert {verdict["status"] for verdict in row.values()} <= {"packed", "unsupported", "undefined"}, key


def test_a_stale_table_is_noticed() -> None:
    text = "<!-- generated: deployment -->\nleft over\n<!-- end -->"
    assert "left over" not in readme.generated(text) and "daBNN" in readme.generated(text)
    with pytest.raises(KeyError):
        readme.generated("<!-- generated: nothing -->\n<!-- end -->")
