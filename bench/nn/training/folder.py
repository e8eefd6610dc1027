"""A training's folder: one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightning_fabric import Fabric

from bench.contract import UserError
from bench.contract.gates import gate
from bench.nn.training.checkpoint import RECORD
from bench.records.claims import Claims


@gate("refused", broken_by="tests/test_gates_store.py::test_two_trainings_in_one_folder_are_refused")
@contextmanager
def held(folder: Path, fabric: Fabric) -> Iterator[None]:
    """A training folder belongs to one run at a time: a second one, on this machine or another, is refused as long as
    the first one lives. What killed runs left half written is swept by the run that takes the folder over.

    Raises UserError.
    """
    if not fabric.is_global_zero:  # the other processes of one run
        yield
        return
    claims, record = Claims(folder), folder / RECORD
    with ExitStack() as stack:
        stack.callback(claims.close)
        try:
            mine = stack.enter_context(claims.taking(record))
        except OSError as error:
            what = f"{folder} cannot be written ({error.strerror or error})"
            raise UserError(f"{what}. Choose another folder with --out.") from None
        if not mine:
            raise UserError(
                f"{folder} is in use by {claims.holder(record) or 'another run'}. Wait until that training ends, or "
                "choose another folder with --out."
            )
        for leftover in folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        yield
