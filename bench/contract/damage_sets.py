"""Names of the sets of damages that the robust track measures, and the cases they make."""

from __future__ import annotations

MILD, IMAGENET_C = "mild-v1", "imagenet-c"
"""Sets of damages of the robust track."""
PARTIAL, OTHER = "partial_damages", "other_damages"
"""Flags of robust records: not the whole set; the machine that measured makes other pixels than the set's."""


def case_of(dataset: str, damages: str) -> str:
    """The case of a robust cell: ``set5-mild-v1``; under ImageNet-C the data set alone."""
    return dataset if damages == IMAGENET_C else f"{dataset}-{damages}"


def damages_of(case: str) -> str:
    """The set of damages in a case that `case_of` made."""
    return MILD if case.endswith(f"-{MILD}") else IMAGENET_C


def dataset_of(case: str) -> str:
    """The data set in a case that `case_of` made."""
    return case.removesuffix(f"-{MILD}")
