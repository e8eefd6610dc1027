"""Environment variables that change what a run computes."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bench.contract.errors import UserError
from bench.contract.gates import gate

VARIABLES = (
    "ATEN_CPU_CAPABILITY", "CUBLAS_WORKSPACE_CONFIG", "DNNL_DEFAULT_FPMATH_MODE", "DNNL_MAX_CPU_ISA", "GLIBC_TUNABLES",
    "KMP_AFFINITY", "KMP_BLOCKTIME", "LD_PRELOAD", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES", "NVIDIA_TF32_OVERRIDE", "OMP_PROC_BIND", "OMP_WAIT_POLICY",
    "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)  # fmt: skip
"""Environment variables that change arithmetic, instruction sets, or how threads and memory are used."""

NUMPY_ONLY = frozenset({"OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"})
"""Those of them that no network's arithmetic or time depends on: recorded, not flagged."""

NOT_FLOAT32 = {
    "DNNL_DEFAULT_FPMATH_MODE": ("bf16", "f16", "tf32", "any"),
    "ONEDNN_DEFAULT_FPMATH_MODE": ("bf16", "f16", "tf32", "any"),
    "NVIDIA_TF32_OVERRIDE": ("1",),
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": ("1",),
}
"""Variable -> values with which float32 layers compute in fewer bits."""


@gate(
    "flagged",
    broken_by="tests/test_gates_surroundings.py::test_variables_that_change_arithmetic_are_told",
)
def arithmetic_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables that change arithmetic or instruction sets are part of a cell's fingerprint, stand in its
    record, and are flagged there as `environment`.
    """
    environment = os.environ if environment is None else environment
    return {name: environment[name] for name in VARIABLES if environment.get(name)}


@gate("refused", broken_by="tests/test_gates_surroundings.py::test_a_variable_under_which_float32_is_a_lie_is_refused")
def check_float32(variables: Mapping[str, str]) -> None:
    """A variable with which float32 layers would compute in bfloat16 or TF32 is refused before anything is measured.

    Raises UserError.
    """
    for name, values in NOT_FLOAT32.items():
        if variables.get(name, "").lower() in values:
            raise UserError(
                f"{name}={variables[name]} makes float32 layers compute in fewer bits, so what is called float32 would "
                f"not be. Unset it: env -u {name} python run_bench.py ..."
            )
