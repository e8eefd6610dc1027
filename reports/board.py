"""The leaderboard: scores for several selections of records, as neutral tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.records.record import Record
from bench.scoring import PARTS, Part, ScoreRow, ScoreTable, ScoringRule, score
from reports.known import Known, backbone_title
from reports.origins import CODE, PAPER, YEAR, card_entries
from reports.table import Column, Entry, Row, Table, marked
from reports.tables import BITS, METHOD
from reports.text import clean

RANK = Column("rank", "Rank", "Place by overall score; references have none", digits=0)
WHY = Column("why", "Why not ranked", "What an overall score needs and this method lacks", text=True, shown=False)
NO_WEIGHTS = "no weights here"
OVERALL = Column("overall", "Overall", "Weighted mean of the parts, times 100", better="higher", digits=1)
MOST_SCOPES = 12
"""With more pairs of backbone and scale, each backbone and each scale is scored, but not each pair."""
SPEED = ("infer", "speedup", "file_reduction")
"""Parts that count nothing below the rule's share of full precision's gain"""
BESIDE = (
    Column(
        "task_psnr", "OM task, PSNR", "BiBench's own form: ratios of PSNR instead of gains over bicubic",
        better="higher", digits=3, shown=False,
    ),
    Column("task_ssim", "OM task, SSIM", "Gain share in SSIM", better="higher", digits=3, shown=False),
    Column("arch_psnr", "OM arch, PSNR", "BiBench's own form", better="higher", digits=3, shown=False),
    Column(
        "robust_imagenet", "Robust, ImageNet-C", "Full precision's relative loss under ImageNet-C over the method's; "
        "not scored", digits=3, shown=False,
    ),
    Column(
        "robust_uncapped", "ImageNet-C, uncapped", "BiBench's own form: absolute losses, ratios not capped; who never "
        "learns loses nothing", digits=2, shown=False,
    ),
)  # fmt: skip
MEASURED = (
    Column("speedup", "Speed-up", "Measured beside full precision in the same run, mean over networks", "x", "higher"),
    Column(
        "file_reduction", "Smaller file", "Full precision's file over the method's, mean over networks", "x", "higher"
    ),
)
"""The two that OM infer joins"""
CHALLENGE = Column(
    "challenge", "ESR score", "Score of the NTIRE 2025 efficient-SR challenge: run time, operations and parameters of "
    "methods near full precision's PSNR; full precision itself gets 7.39", better="lower",
)  # fmt: skip
INTERVAL = Column(
    "interval", "Rank range", "Best to worst rank when a part is left out or the weights are drawn at random (90 %)",
    text=True,
)  # fmt: skip
SEEDS = Column(
    "seeds", "Tied with", "Ranks of the methods that seeds cannot part from this one; a dash where none has two seeds",
    text=True,
)  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """A selection of records that is scored by itself."""

    key: str
    title: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Board:
    """The scores of one scope, and the same as neutral tables."""

    scope: Scope
    scores: ScoreTable
    table: Table
    """Ranked methods, with full precision and bicubic as lines at their place"""
    rest: Table
    """Methods without an overall score, and why"""


def boards(records: Sequence[Record], rule: ScoringRule, known: Known) -> list[Board]:
    """One board a scope; the first covers everything."""
    made = []
    for scope in scopes(records):
        scores = score(scope.records, rule)
        made.append(Board(scope, scores, *score_tables(scope, scores, known)))
    return made


def scopes(records: Sequence[Record]) -> list[Scope]:
    """All records; then by backbone, by scale and by both where there are several. Timings of machines never mix."""
    backbones: list[str | None] = [*sorted({r.cell.backbone for r in records} - {"none"})]
    scales: list[int | None] = [*sorted({r.cell.scale for r in records})]
    backbones = [None, *(backbones if len(backbones) > 1 else [])]
    scales = [None, *(scales if len(scales) > 1 else [])]
    machines: list[str | None] = [*sorted({r.provenance.machine.id for r in records if r.machine_bound})]
    machines = machines if len(machines) > 1 else [None]
    places = [(backbone, scale) for backbone in backbones for scale in scales]
    if len(places) > MOST_SCOPES:
        places = [(backbone, scale) for backbone, scale in places if backbone is None or scale is None]
    return [_scope(records, backbone, scale, machine) for machine in machines for backbone, scale in places]


def _scope(records: Sequence[Record], backbone: str | None, scale: int | None, machine: str | None) -> Scope:
    chosen = tuple(
        record
        for record in records
        if (backbone is None or record.cell.backbone in (backbone, "none"))
        and (scale is None or record.cell.scale == scale)
        and (machine is None or not record.machine_bound or record.provenance.machine.id == machine)
    )
    network = [backbone_title(backbone) if backbone else "", f"\N{MULTIPLICATION SIGN}{scale}" if scale else ""]
    title = " ".join(filter(None, network)) or "Everything"
    key = ".".join(filter(None, [backbone or "", f"x{scale}" if scale else ""])) or "all"
    return Scope(f"{key}@{machine}" if machine else key, f"{title} on {machine}" if machine else title, chosen)


def score_tables(scope: Scope, scores: ScoreTable, known: Known) -> tuple[Table, Table]:
    """Scores as neutral tables: the ranked with the references, and those not ranked.

    In both the columns are rank, overall, the six parts, the speed-up and file size behind OM infer, the challenge
    score and the rank range; some wait until the reader asks for them.
    """
    measured = {key for row in scores.rows for key, part in row.parts.items() if part.value is not None}
    parts = {
        part.key: _part_column(part.key, part.key in measured or part.key in scores.rule.required) for part in PARTS
    }
    columns = (
        RANK, METHOD, BITS, WHY, OVERALL, parts["task"], parts["arch"], parts["robust"], *MEASURED, parts["comp"],
        parts["train"], replace(parts["infer"], shown=False), *BESIDE, CHALLENGE, SEEDS, INTERVAL, PAPER,
        replace(YEAR, roomy=True), replace(CODE, roomy=True),
    )  # fmt: skip
    ordered = sorted(scores.rows, key=lambda row: -_standing(row, scores))
    ranked = marked([_row(row, scores, known) for row in ordered if _stands(row)], columns, lambda row: None)
    rest = [_row(row, scores, known) for row in scores.rows if not _stands(row)]
    shown = ("method", "bits", "why", "task", "comp", "speedup", "file_reduction")
    plain = tuple(replace(column, shown=column.key in shown) for column in columns)
    notes = (_weights_note(scores), *scores.rule.sentences())
    return (
        Table("_score", f"Leaderboard: {scope.title}", columns, tuple(ranked), notes=notes),
        Table("_rest", f"Not ranked: {scope.title}", plain, tuple(rest)),
    )


def _stands(row: ScoreRow) -> bool:
    return row.reference or row.rank is not None


def _standing(row: ScoreRow, scores: ScoreTable) -> float:
    """What a row is put in order by: its overall score; a reference's with 0 for the parts that it lacks."""
    if row.overall is not None:
        return row.overall
    total = sum(scores.weights.values())
    return 100 * sum(scores.weights[key] * value for key, value in row.scaled.items()) / total if total else 0.0


def _why(row: ScoreRow, scores: ScoreTable, known: Known) -> str:
    """Why a method is not ranked, in a few words; the parts' own reasons stand with their dashes."""
    if row.algo in known.untrained and row.parts["task"].value is None:
        return NO_WEIGHTS
    needed = [part for part in PARTS if scores.weights[part.key] > 0 or part.key in scores.rule.required]
    return f"lacks {', '.join(part.title for part in needed if part.key not in row.scaled)}"


def _part_column(key: str, shown: bool) -> Column:
    part = next(part for part in PARTS if part.key == key)
    unit = "x" if part.scale == "ratio" and key != "infer" else ""
    return Column(key, part.title, part.help, unit, "higher", 2 if part.scale == "ratio" else 3, shown=shown)


def _row(row: ScoreRow, scores: ScoreTable, known: Known) -> Row:
    interval = scores.stability.ranks.get(row.algo) if scores.stability else None
    together = scores.parting.together.get(row.algo) if scores.parting else None
    entries = {
        "rank": Entry(None if row.rank is None else float(row.rank), note="" if row.rank else "not ranked"),
        "method": Entry(known.method(row.algo)),
        "bits": Entry(known.bits(row.algo) or None),
        "why": Entry(None if _stands(row) else _why(row, scores, known), note=clean(row.overall_reason, 500)),
        **card_entries(row.algo, known),
        "overall": Entry(row.overall, note=clean(row.overall_reason, 500)),
        "challenge": _entry(row.challenge),
        "interval": Entry(_range(*interval) if interval else None, note="" if interval else "not ranked"),
        "seeds": Entry(_range(*together) if together else None, note="" if together else _no_seeds(row)),
        **{key: _entry(part, row.speed_gate if key in SPEED else "") for key, part in row.parts.items()},
    }
    return Row(
        id=row.algo, algo=row.algo, backbone="", scale=0, entries=entries, bits=known.bits(row.algo),
        family=known.family(row.algo), reference=row.reference or known.reference(row.algo),
    )  # fmt: skip


def _entry(part: Part, remark: str = "") -> Entry:
    return Entry(part.value, note=clean(part.reason or remark, 300), spread=part.sd, barred=bool(remark))


def _no_seeds(row: ScoreRow) -> str:
    return "not ranked" if row.rank is None else "no ranked method was trained with two seeds"


def _range(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}\N{EN DASH}{worst}"


def _weights_note(scores: ScoreTable) -> str:
    titles = {part.key: part.title for part in PARTS}
    carried = [f"{titles[key]} {weight:g}" for key, weight in scores.weights.items() if weight > 0]
    silent = [titles[key] for key, weight in scores.weights.items() if weight == 0]
    text = f"Weights: {', '.join(carried) or 'none'}."
    return text + (f" Without weight here: {', '.join(silent)}." if silent else "")
