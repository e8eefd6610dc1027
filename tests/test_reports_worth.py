"""What the numbers of a board are worth, said first; what flags say; seeds, machines and methods without weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_records import CARDS, MACHINE, record

from bench.contract.damage_sets import OTHER, PARTIAL
from bench.contract.weight_labels import PAPERS
from bench.nn.algorithm import Recipe
from bench.records.plausible import strange
from bench.records.record import Record
from bench.scoring import ScoringRule
from reports.board import NO_WEIGHTS, boards
from reports.flags import MEANINGS, legend, meaning, without_seed
from reports.known import Known
from reports.tables import track_table
from reports.worth import worth

STRANGE = {"over_bound": 0.1, "speedup": 9.0, "speedup_theory": 1.0, "gap_db": -9.0}
OFFLINE = Known(cards=CARDS)


def scored(algo: str, *flags: str, seed: int = 0, psnr: float = 30.0) -> Record:
    made = record("accuracy", algo, "srresnet", 2, "set5", {"psnr_y": psnr}, flags=list(flags))
    return made.model_copy(update={"provenance": made.provenance.model_copy(update={"seed": seed})})


def test_the_papers_budget_is_the_recipes_default() -> None:
    default = Recipe()
    assert f"{default.iterations}x{default.batch}x{default.lr_patch}" == PAPERS


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([scored("frb", "reference-1000x4x24")], "1/300 of the iterations that papers spend, at 1/4 of their batch"),
        ([scored("frb", "board-1000x8x24")], "at half of their batch: 1,000 iterations of 8 patches of 24x24"),
        ([scored("frb", "board-1000x9x24")], "at 56% of their batch"),
        ([scored("frb", "own-600000x16x8")], "2.0 times of the iterations"),
        ([scored("frb", f"reference-{PAPERS}")], "trained as long as papers train theirs"),
        ([scored("frb", "own-unknown")], "is not known"),
        ([scored("frb", "untrained")], "random weights"),
        ([record("comp", "frb", "srresnet", 2, "320x180", {"ops_g": 1.0})], "No trained network was scored here"),
        (
            [scored("frb", "board-1000x8x24"), scored("bnn", "board-1000x8x24"), scored("bbcu", "own-9x9x9"),
             scored("xnor", "untrained")],
            "say so in their flags: 9x9x9. Not trained at all: ",
        ),
    ],
)  # fmt: skip
def test_the_first_sentence(made: list[Record], words: str) -> None:
    assert words in worth(made, OFFLINE)


def test_flags_in_words() -> None:
    assert meaning("board-1000x8x24-s2").endswith("1,000 iterations of 8 patches of 24x24 pixels, seed 2")
    assert "own weights" in meaning("own-unknown") and "not known" in meaning("own-unknown")
    assert meaning("ort-int8 is faster") == ""
    assert [flag for flag, _ in legend(["unstable", "odd", "dirty", "unstable"])] == ["dirty", "unstable"]
    named = {"fewer_cpus", "load_beside", "odd_range", "environment", PARTIAL, OTHER, *strange(STRANGE)}
    assert len(named) >= 9 and named <= set(MEANINGS)
    assert all(words[0].islower() and not words.endswith(".") for words in MEANINGS.values())
    assert without_seed("board-1000x8x24-s2") == "board-1000x8x24" and without_seed("odd-s2") == "odd-s2"


def test_a_row_names_its_seeds() -> None:
    made = [scored("frb", "board-1000x8x24" + (f"-s{seed}" if seed else ""), seed=seed) for seed in (0, 1, 2)]
    made += [scored("bnn", "board-1000x8x24")]
    table = track_table(made, "accuracy", OFFLINE)
    by_algo = {row.algo: row for row in table.rows}
    assert by_algo["frb"].entries["seeds"].value == "0, 1, 2" and by_algo["bnn"].entries["seeds"].value == "0"
    assert by_algo["frb"].flags == ("board-1000x8x24",) and by_algo["frb"].budget == "1000x8x24"
    assert next(column for column in table.columns if column.key == "seeds").shown


def test_machines_share_no_best() -> None:
    other = MACHINE.model_copy(update={"id": "other-8c-111111"})
    timed, parity = {"frb": 10.0, "bnn": 20.0}, {"parity_max_abs": 0.0}
    made = [
        record("infer", algo, "srresnet", 2, "96x54-t1", {"latency_ms": ms * slow} | parity, machine=machine)
        for algo, ms in timed.items()
        for machine, slow in ((MACHINE, 1.0), (other, 9.0))
    ]
    table = track_table(made, "infer", OFFLINE)
    marks = {(row.algo, row.machine): row.entries["latency_ms"].mark for row in table.rows}
    assert {machine for (algo, machine), mark in marks.items() if mark == "best"} == {MACHINE.id, other.id}
    assert all(algo == "frb" for (algo, _), mark in marks.items() if mark == "best")


def test_a_method_without_weights_says_so() -> None:
    made = [record("comp", "frb", "srresnet", 2, "320x180", {"ops_g": 1.0})]
    bare = replace(OFFLINE, untrained=frozenset({"frb"}))
    for known, words in ((bare, NO_WEIGHTS), (OFFLINE, "lacks OM task")):
        (board, *_) = boards(made, ScoringRule(), known)
        assert not board.table.rows
        assert str(board.rest.rows[0].entries["why"].value).startswith(words)
