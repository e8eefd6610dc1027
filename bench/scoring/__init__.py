"""From records to scores: pure, versioned, without torch and without files."""

from bench.scoring.rule import PARTS, ChallengeRule, PartRule, ScoringRule
from bench.scoring.stability import Stability
from bench.scoring.table import Part, ScoreRow, ScoreTable, score, speed_gates

__all__ = [
    "PARTS",
    "ChallengeRule",
    "Part",
    "PartRule",
    "ScoreRow",
    "ScoreTable",
    "ScoringRule",
    "Stability",
    "score",
    "speed_gates",
]
