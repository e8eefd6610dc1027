"""Running the checks and saying what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.conformance import checks
from bench.contract import Unsupported
from bench.contract.errors import method_line
from bench.nn.algorithm import Algorithm
from bench.nn.subject import Subject
from bench.plan.discover import discover

CHECKS: tuple[Callable[[Subject], None], ...] = (
    checks.check_card,
    checks.check_seed,
    checks.check_output,
    checks.check_bits,
    checks.check_gradients,
    checks.check_batch,
    checks.check_round_trip,
    checks.check_counted,
    checks.check_packed,
    checks.check_refusals,
)


@dataclass(frozen=True)
class Verdict:
    check: str
    passed: bool
    detail: str
    """What was seen, or the card's reason for a known failure"""


def examine(subject: Subject) -> Iterator[Verdict]:
    """Run every check. A check named in the card's ``xfail`` passes only by failing."""
    for check in CHECKS:
        name = check.__name__.removeprefix("check_")
        known = subject.card.xfail.get(name)
        try:
            check(subject)
        except Unsupported as reason:
            problem = f"unsupported: {reason}"
        except AssertionError as error:
            problem = str(error)
        except Exception as error:  # a check reports what it meets, whatever it is
            problem = f"{type(error).__name__}: {error}{method_line(error)}"
        else:
            problem = ""
        if known:
            yield Verdict(
                name, bool(problem), f"known: {known}" if problem else f"expected to fail ({known}), but passed"
            )
        else:
            yield Verdict(name, not problem, problem)


def run_checks(
    subject: str | type[Algorithm],
    report: Callable[[str], None] = print,
    backbones: list[str] | None = None,
    scale: int = 2,
) -> int:
    """Examine an algorithm, by key or class, on each backbone (its first by default).

    Reports a line a check and returns the number of failures. Raises UserError for an unknown key.
    """
    algorithm = discover().loader(subject) if isinstance(subject, str) else subject()
    failures = 0
    names = ["none"] if algorithm.card.backbone_free else backbones or [algorithm.backbones[0]]
    for backbone in names:
        if backbone != "none" and not algorithm.is_defined_on(backbone):
            report(f"{algorithm.card.key} on {backbone}: not defined on it")
            continue
        told: dict[str, str] = {}
        for verdict in examine(Subject(algorithm, backbone, scale)):
            failures += not verdict.passed
            mark = "ok  " if verdict.passed else "FAIL"
            first = told.setdefault(verdict.detail, verdict.check)
            detail = f": {verdict.detail if first == verdict.check else f'as {first}'}" if verdict.detail else ""
            report(f"{mark} {algorithm.card.key} on {backbone}, {verdict.check}{detail}")
    return failures
