"""Which method can be packed on which backbone: every pair tried, and what came of it kept as JSON.

``python -m bench.conformance.matrix`` writes results/reference/packing.json, from which algorithms/README.md has its
table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from bench.contract import Unsupported, UserError
from bench.contract.backbones import BACKBONES
from bench.nn.subject import Subject
from bench.packed.pack import pack, packed_units
from bench.packed.parity import check_parity
from bench.plan.cells import pick, pick_algorithms
from bench.plan.discover import discover
from bench.records.machine import ROOT, git_state

DEFAULT = ROOT / "results" / "reference" / "packing.json"
SCALE = 2


def try_pair(subject: Subject) -> dict[str, Any]:
    """``packed`` with the number of layers and the parity errors, ``undefined``, ``unsupported`` or ``failed``."""
    try:
        network = subject.network.to(memory_format=torch.channels_last)
    except Unsupported as reason:
        return {"status": "undefined", "reason": str(reason)}
    try:
        packed = pack(network)
    except Unsupported as reason:
        return {"status": "unsupported", "reason": str(reason)}
    parity = check_parity(network, packed, subject.image.contiguous(memory_format=torch.channels_last))
    if not parity.passed:
        return {"status": "failed", "reason": parity.reason()}
    errors = {"layer_error": parity.layer_error, "output_error": parity.output_error}
    return {"status": "packed", "layers": len(packed_units(packed)), **errors}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.conformance.matrix", description=__doc__)
    parser.add_argument("--algos", help="comma-separated keys; default: all that quantize, each once")
    parser.add_argument("--backbone", help="comma-separated keys; default: all")
    parser.add_argument("--out", type=Path, default=DEFAULT)
    options = parser.parse_args(argv)
    registry = discover()
    keys = [key for key, card in registry.cards.items() if not card.full_precision and not card.printed_of]
    try:
        if options.algos:
            registry, keys = pick_algorithms(options.algos, registry)
        backbones = pick("backbone", options.backbone, list(BACKBONES), default=BACKBONES)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    content = json.loads(options.out.read_text()) if options.out.exists() else {"pairs": {}}
    commit, dirty = git_state(ROOT)
    content |= {"scale": SCALE, "commit": commit, "dirty": dirty}
    torch.set_num_threads(1)
    for key in keys:
        for backbone in backbones:
            start = time.monotonic()
            verdict = try_pair(Subject(registry.loader(key), backbone, SCALE))
            content["pairs"].setdefault(key, {})[backbone] = verdict
            seconds = time.monotonic() - start
            sys.stderr.write(
                f"{key} on {backbone}: {verdict['status']} ({seconds:.1f} s) {verdict.get('reason', '')}\n"
            )
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return int(any(v["status"] == "failed" for row in content["pairs"].values() for v in row.values()))


if __name__ == "__main__":
    sys.exit(main())
