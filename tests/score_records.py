"""Short records for worked examples of scores."""

from __future__ import annotations

from fake_records import record

from bench.records.record import Record
from bench.scoring import ScoreRow, ScoringRule, score


def accuracy(algo: str, psnr: float, ssim: float = 0.9, **place) -> Record:
    where = {"backbone": "none" if algo == "bicubic" else "srresnet", "scale": 2, "case": "set5", **place}
    return record("accuracy", algo, metrics={"psnr_y": psnr, "ssim_y": ssim}, **where)


def row(records: list[Record], algo: str, rule: ScoringRule | None = None) -> ScoreRow:
    return next(row for row in score(records, rule).rows if row.algo == algo)


def comp(algo: str, compute: float, storage: float, scale: int = 2) -> Record:
    values = {"speedup_theory": compute, "compression": storage}
    return record("comp", algo, "srresnet", scale, "320x180", values)


def infer(algo: str, speedup: float, size: float, scale: int = 2, **more) -> Record:
    values = {"speedup": speedup, "file_bytes": 1000.0 / size, "fp32_file_bytes": 1000.0}
    return record("infer", algo, "srresnet", scale, "320x180-t1", values, **more)
