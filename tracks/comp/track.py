"""Theoretical complexity: parameters and operations by precision, under named conventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, combinations
from bench.contract.backbones import BACKBONES
from bench.contract.options import Option, Options, size

PAPER_LR = (320, 180)
"""Low-resolution input behind the published figures: (width, height)."""


class Comp:
    name = "comp"
    version = 1
    machine_bound = False
    title = "Theoretical complexity"
    about = (
        "Counted where the network runs, at PyTorch's dispatcher, with torch's own formula for each operation. "
        "Input: low-resolution 320x180 unless the case says otherwise. Strict: every base and every stored float "
        "counted. Paper: the rule behind the method's own published table, named in the record."
    )
    metrics = (
        Metric(
            "params_k", "K", "lower", "Params", "Strict: float32-equivalent parameters, all bases and floats counted"
        ),
        Metric("ops_g", "G", "lower", "Ops", "Strict: multiply-accumulates in units of 64-bit operations, all bases"),
        Metric("params_k_paper", "K", "lower", "Params (paper)", "Parameters under the method's own paper's rule"),
        Metric("ops_g_paper", "G", "lower", "Ops (paper)", "Operations under the method's own paper's rule"),
        Metric(
            "weights_k_bases", "K", "lower", "Weights, all bases", "Paper's rule with every base counted: weights only"
        ),
        Metric("ops_g_bases", "G", "lower", "Ops, all bases", "Paper's rule with every base counted"),
        Metric("fp_params_k", "K", "neither", "Params FP", "The same backbone in full precision, strict"),
        Metric("fp_ops_g", "G", "neither", "Ops FP", "The same backbone in full precision, strict"),
        Metric("compression", "x", "higher", "Compression", "Params FP / Params, strict"),
        Metric("speedup_theory", "x", "higher", "Theory speed-up", "Ops FP / Ops, strict"),
    )

    options: ClassVar[dict[str, Option]] = {
        "lr_size": Option("low-resolution input, WxH (default 320x180, as in the papers)", size, PAPER_LR)
    }

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        width, height = Options(self, settings)["lr_size"]
        return [
            Cell(self.name, card.key, backbone, level, f"{width}x{height}", settings.task)
            for card, backbone, level in combinations(cards, backbones, levels)
        ]

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, object]:
        return {}

    def again(self, cell: Cell, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
        usual = "x".join(map(str, PAPER_LR))
        return [] if cell.case == usual else ["--set", f"comp.lr_size={cell.case}"]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from bench.nn.complexity import count_algorithm, count_reference
        from bench.nn.conventions import PAPERS, STRICT, paper_rule
        from bench.nn.label import check_label, smooth_image
        from bench.nn.subject import Subject

        algorithm = context.load_algorithm(cell.algo)
        width, height = (int(side) for side in cell.case.split("x"))
        check_label(algorithm.card, Subject(algorithm, cell.backbone, cell.scale).network, smooth_image())
        net = count_algorithm(algorithm, cell.backbone, cell.scale, (width, height))
        family = BACKBONES[cell.backbone].family if cell.backbone in BACKBONES else "cnn"
        paper, bases = paper_rule(algorithm.card.convention, family), PAPERS["bbcu-bases"]
        metrics = {
            "params_k": STRICT.params(net) / 1e3,
            "ops_g": STRICT.ops(net) / 1e9,
            "params_k_paper": paper.params(net) / 1e3,
            "weights_k_bases": bases.params(net) / 1e3,
            "ops_g_bases": bases.ops(net) / 1e9,
        }
        if (printed := paper.ops(net)) is not None:
            metrics["ops_g_paper"] = printed / 1e9
        if not algorithm.card.backbone_free:
            full = count_reference(cell.backbone, cell.scale, (width, height))
            metrics |= {"fp_params_k": STRICT.params(full) / 1e3, "fp_ops_g": STRICT.ops(full) / 1e9}
            metrics["compression"] = metrics["fp_params_k"] / metrics["params_k"]
            metrics["speedup_theory"] = metrics["fp_ops_g"] / metrics["ops_g"]
        details = {
            "conventions": {rule.name: rule.about for rule in (STRICT, paper, bases)},
            "paper_convention": paper.name,
            "layers": [asdict(layer) for layer in net.layers],
            "parameters": net.parameters,
        }
        return Outcome(metrics=metrics, details=details)


TRACK = Comp()
