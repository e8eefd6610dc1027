"""The overall score, the challenge score and the firmness of ranks, against examples worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, sqrt

import pytest
from fake_records import realistic, record
from hypothesis import given
from hypothesis import strategies as st
from score_records import accuracy, comp, infer, row

from bench.records.record import Record
from bench.scoring import PARTS, ScoreRow, ScoringRule, score
from bench.scoring.means import saving


@given(st.floats(0.01, 100))
def test_saving_is_antisymmetric_and_bounded(ratio: float) -> None:
    assert saving(1 / ratio) == pytest.approx(-saving(ratio))
    assert -1 < saving(ratio) < 1


def test_saving_by_hand() -> None:
    assert [saving(r) for r in (1.0, 2.0, 4.0, 0.5)] == [0.0, 0.5, 0.75, -0.5]


def full_set(quality: dict[str, float]) -> list:
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0)]
    for algo, psnr in quality.items():
        records += [accuracy(algo, psnr), comp(algo, 4.0, 4.0), infer(algo, 2.0, 2.0)]
    return records


def test_overall_by_hand() -> None:
    table = score(full_set({"m": 33.0, "n": 32.0}))
    assert dict(table.weights) == {"task": 1, "arch": 0, "robust": 0, "comp": 1, "train": 0, "infer": 1}
    rows = {row.algo: row for row in table.rows}
    assert rows["m"].overall == pytest.approx(100 * (0.75 + 0.75 + 0.5) / 3)
    assert (rows["m"].rank, rows["n"].rank, rows["fp32"].rank) == (1, 2, None)
    assert [row.algo for row in table.rows] == ["m", "n", "bicubic", "fp32"]


def test_overall_uses_the_given_weights() -> None:
    zero = {part.key: 0.0 for part in PARTS}
    rule = ScoringRule(weights={**zero, "task": 3.0, "infer": 1.0})
    assert row(full_set({"m": 33.0}), "m", rule).overall == pytest.approx(100 * (3 * 0.75 + 0.5) / 4)
    with pytest.raises(ValueError, match="weight >= 0"):
        ScoringRule(weights={**zero, "task": -1.0})
    with pytest.raises(ValueError, match="weight >= 0"):
        ScoringRule(weights={"task": 1.0})


def test_missing_stays_missing_and_says_why() -> None:
    records = [*full_set({"m": 33.0, "n": 33.9}), accuracy("fast", 33.0), comp("fast", 9.0, 9.0)]
    records.append(record("infer", "fast", "srresnet", 2, "320x180-t1", reason="no packed form"))
    found = row(records, "fast")
    assert (found.overall, found.rank) == (None, None)
    assert found.overall_reason == "infer: fast: srresnet x2 320x180-t1: no packed form"
    for key in ("task", "comp", "infer"):  # evidence is needed whatever it weighs
        assert row(records, "fast", ScoringRule(weights={**ScoringRule().weights, key: 0.0})).overall is None
    # any other part of weight 0 is not needed
    records.append(record("train", "m", "srresnet", 2, "sweep", SWEEP, details={"bicubic_db": 20.0}))
    assert row(records, "n").overall_reason == "train: n: srresnet x2 sweep: not measured"
    assert row(records, "n", ScoringRule(weights={**ScoringRule().weights, "train": 0.0})).overall is not None


SWEEP = {"train_speedup": 0.5, "hyper_sd_db": 0.1, "fp32_hyper_sd_db": 0.2, "hyper_mean_db": 27.0}


@pytest.mark.parametrize("gone", ["task", "comp", "infer"])
def test_there_is_no_overall_score_without_a_minimum_of_evidence(gone: str) -> None:
    made = {"task": accuracy("m", 33.0), "comp": comp("m", 4.0, 4.0), "infer": infer("m", 9.0, 9.0)}
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0), *made.values()]
    assert row(records, "m").rank == 1
    found = row([one for one in records if one is not made[gone]], "m")  # nobody has that part, and still it is needed
    assert (found.overall, found.rank, found.overall_reason) == (None, None, f"{gone}: not measured")


def test_an_untrained_network_earns_no_rank_by_being_fast() -> None:
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0), comp("m", 9.0, 9.0), infer("n", 2.0, 2.0)]
    drawn, old, new = ({"weights": "b" * 64, "utc": f"2030-01-0{day}T00:00:00+00:00"} for day in (1, 1, 3))
    fast = infer("m", 9.0, 9.0, flags=["untrained"], **new)
    found = row([*records, accuracy("m", 33.0, flags=["untrained"], **drawn), fast], "m")
    assert (found.overall, found.rank) == (None, None) and "task" in found.overall_reason
    found = row([*records, accuracy("m", 33.0, **{**old, "weights": "a" * 64}), fast], "m")
    assert found.parts["task"].value is not None, "an untrained network does not displace a trained one"
    assert found.rank is None and "infer" in found.overall_reason and "other weights" in found.overall_reason


@pytest.mark.parametrize(("psnr", "counts"), [(31.9, False), (32.0, True), (29.0, False)])
def test_speed_counts_only_for_networks_that_keep_half_of_the_gain(psnr: float, counts: bool) -> None:
    found = row(full_set({"m": psnr}), "m")
    assert found.parts["infer"].value == pytest.approx(2.0), "shown either way"
    assert found.scaled["infer"] == pytest.approx(0.5 if counts else 0.0)
    assert found.rank == 1 and bool(found.speed_gate) is not counts
    if psnr == 31.9:
        assert found.speed_gate == "keeps 47% of fp32's gain over bicubic (gate 50%): not ranked by speed"
    slow = [one for one in full_set({"m": psnr}) if one.cell.track != "infer"] + [infer("m", 0.5, 0.5)]
    assert row(slow, "m").scaled["infer"] == pytest.approx(-0.5), "being slower still costs"


def test_quality_and_latency_of_different_weights_make_no_score() -> None:
    old = {"weights": "a" * 64, "utc": "2030-01-01T00:00:00+00:00"}
    new = {"weights": "b" * 64, "utc": "2030-01-02T00:00:00+00:00"}
    others = [*full_set({"n": 31.0}), comp("m", 4.0, 4.0)]
    stale = "made with other weights (aaaaaaaa) than the network's latest (bbbbbbbb): measure it again"

    def found(scored: dict[str, str], timed: dict[str, str], *more: Record) -> ScoreRow:
        return row([*others, accuracy("m", 33.2, **scored), infer("m", 2.0, 2.0, **timed), *more], "m")

    retrained = found(new, old)
    assert retrained.parts["task"].value == pytest.approx(0.8)
    assert (retrained.overall, retrained.rank, retrained.challenge.value) == (None, None, None)
    assert retrained.overall_reason == f"infer: m: srresnet x2 320x180-t1: {stale}"
    assert found(old, new).overall_reason == f"task: m: srresnet x2 set5: {stale}"

    # equal weights, whenever measured; and each seed is a network of its own
    assert found(new, {**new, "utc": old["utc"]}).rank == 1
    both = found(new, new, accuracy("m", 33.6, seed=1, weights="c" * 64))
    assert (both.rank, both.parts["task"].seeds) == (1, 2)


def test_what_was_learnt_counts_only_beside_full_precision_trained_as_long() -> None:
    def found(own: str | None, full: str | None) -> ScoreRow:
        trained = (("m", 33.0, own), ("fp32", 34.0, full), ("n", 31.0, full))
        quality = [accuracy(algo, psnr, flags=[label] if label else []) for algo, psnr, label in trained]
        costs = [made(algo, 2.0, 2.0) for made in (comp, infer) for algo in "mn"]
        return row([accuracy("bicubic", 30.0), *quality, *costs], "m")

    assert found("reference-9x4x24-s2", "reference-9x4x24").rank == 1
    assert found("own-9x4x24", "reference-9x4x24").rank == 1
    assert found("own-unknown", "own-unknown").rank == 1
    assert found("own-unknown", None).rank == 1  # nothing is known of full precision's either
    longer = found("own-unknown", "reference-9x4x24")
    assert (longer.rank, longer.parts["task"].value, longer.challenge.value) == (None, None, None)
    assert longer.overall_reason == (
        "task: m: srresnet x2 set5: training unknown, full precision's 9x4x24 (iterations x batch x patch): "
        "train both alike"
    )
    assert longer.parts["infer"].value is not None


def test_weights_trained_as_printed_neither_enter_the_board_nor_displace_its_own() -> None:
    early, late = ({"utc": f"2030-01-0{day}T00:00:00+00:00", "weights": f"{day}" * 64} for day in (1, 2))
    board, printed = "board-9x4x24", "printed-9x4x24"
    records = [
        accuracy("bicubic", 30.0),
        comp("m", 2.0, 2.0),
        infer("m", 2.0, 2.0, details={"weights": board}, **early),
    ]
    records += [accuracy(algo, psnr, flags=[board], **early) for algo, psnr in (("fp32", 34.0), ("m", 33.0))]
    again = [accuracy(algo, psnr, flags=[printed], **late) for algo, psnr in (("fp32", 33.0), ("m", 32.9))]
    again.append(infer("m", 9.0, 9.0, details={"weights": printed}, **late))
    alone, both = row(records, "m"), row([*records, *again], "m")
    assert alone.rank == 1 and (both.parts, both.overall) == (alone.parts, alone.overall)
    assert row([*records, again[1]], "m").parts["task"].value == pytest.approx(0.75)
    as_printed = row([accuracy("bicubic", 30.0), *again], "m").parts["task"]
    assert as_printed.value == pytest.approx(2.9 / 3.0), "where nothing else is there, it is scored by itself"


def test_challenge_score_by_hand() -> None:
    found = row([*full_set({"m": 33.2})], "m").challenge
    assert found.value == pytest.approx(0.7 * exp(2 / 2) + 0.15 * exp(2 / 4) + 0.15 * exp(2 / 4))
    gated = row([*full_set({"m": 32.9})], "m").challenge
    assert gated.value is None
    assert gated.reason == "srresnet x2: 1.10 dB below full precision, the gate is 1 dB"
    baseline = [accuracy("fp32", 34.0), comp("fp32", 1.0, 1.0), infer("fp32", 1.0, 1.0), *full_set({"m": 33.5})]
    assert row(baseline, "fp32").challenge.value == pytest.approx(exp(2))


def test_a_ratio_of_zero_gives_no_challenge_score() -> None:
    records = [accuracy("fp32", 34.0), accuracy("m", 33.5), comp("m", 4.0, 4.0), infer("m", 0.0, 2.0)]
    assert row(records, "m").challenge.reason == "srresnet x2: no run time"


def test_challenge_score_needs_all_three() -> None:
    found = row([accuracy("fp32", 34.0), accuracy("m", 33.5), infer("m", 2.0, 2.0)], "m").challenge
    assert found.reason == "srresnet x2: no operations, parameters"


def test_rank_stability_by_hand() -> None:
    records = [accuracy("bicubic", 30.0), accuracy("fp32", 34.0)]
    for algo, psnr, compute in (("a", 33.6, 1.25), ("b", 31.2, 5.0), ("c", 30.4, 1.0)):
        records += [accuracy(algo, psnr), comp(algo, compute, compute), infer(algo, 2.0, 2.0)]
    table = score(records, ScoringRule(weights={**ScoringRule().weights, "infer": 0.0}))
    # scaled: a .9/.2, b .3/.8, c .1/0; equal weights: a and b tie at 55, c last
    assert [(row.algo, row.rank) for row in table.rows[:3]] == [("a", 1), ("b", 1), ("c", 3)]
    found = table.stability
    assert found.without == {"task": {"a": 2, "b": 1, "c": 3}, "comp": {"a": 1, "b": 2, "c": 3}}
    assert found.ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}
    assert found.first["a"] == pytest.approx(0.5, abs=0.05)  # a leads wherever task weighs more than half
    assert found.first["c"] == 0.0
    assert found.tau["task"] == pytest.approx(sqrt(2 / 3))  # tau-b: one tie in the full ranking


def test_no_stability_with_one_method_or_one_part() -> None:
    assert score(full_set({"m": 33.0})).stability is None
    task_only = ScoringRule(weights={**dict.fromkeys(ScoringRule().weights, 0.0), "task": 1.0})
    assert score(full_set({"m": 33.0, "n": 32.0}), task_only).stability is None


def test_a_method_without_a_network_does_not_widen_the_grid() -> None:
    records = [*full_set({"m": 33.0}), accuracy("lanczos", 30.5, backbone="none")]
    assert row(records, "m").parts["task"].value == pytest.approx(0.75)
    assert row(records, "lanczos").parts["task"].value == pytest.approx(0.125)


def test_self_ensemble_and_sample_pictures_do_not_widen_the_grid() -> None:
    records = [*full_set({"m": 33.0, "n": 32.0}), accuracy("m", 33.9, case="set5+")]
    sample = record("accuracy", "m", "srresnet", 2, "sample", {"psnr_y": 20.0}, flags=["sample_data"])
    assert row([*records, sample], "m").parts["task"].value == pytest.approx(0.75)
    assert row([*records, sample], "n").parts["task"].value == pytest.approx(0.5)
    only = [
        record("accuracy", algo, backbone, 2, "sample", {"psnr_y": psnr}, flags=["sample_data"])
        for algo, backbone, psnr in (("bicubic", "none", 20.0), ("fp32", "srresnet", 24.0), ("m", "srresnet", 21.0))
    ]
    assert row(only, "m").parts["task"].value == pytest.approx(0.25)


def test_score_is_pure_and_repeatable() -> None:
    records = realistic()
    before = [record.model_dump_json() for record in records]
    first, second = score(records), score(list(reversed(records)))
    assert first == second
    assert [record.model_dump_json() for record in records] == before
    ranked = [row.overall for row in first.rows if row.rank]
    assert len(ranked) >= 8
    assert all(better >= worse for better, worse in pairwise(ranked))


def test_the_rule_is_frozen_versioned_and_told_in_words() -> None:
    rule = ScoringRule()
    with pytest.raises(AttributeError):
        rule.min_gain_db = 0.0
    with pytest.raises(TypeError):
        rule.weights["task"] = 9.0
    text = " ".join(replace(rule, min_gain_db=0.123, version="v9").sentences())
    assert "v9" in text and "0.123" in text and "NTIRE" in text
    assert score([]).rows == ()
