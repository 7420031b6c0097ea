"""The vector registers of the instruction set that Numba compiles for.

Numba takes its target from the processor, or from ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES``,
with which a processor compiles for another that it can emulate.
"""

import platform
from typing import NamedTuple

from numba.core import config
from numba.core.codegen import get_host_cpu_features

__all__ = ["REGISTERS", "Registers", "choose"]


class Registers(NamedTuple):
    """How a tile of sums fits the registers.

    Parameters
    ----------
    name : str
        The instruction set.
    vector : int
        Float32 numbers in a register.
    columns : int
        Columns of a tile of six rows: its sums, a row of the right factor and one number of the
        left factor fit the registers.
    """

    name: str
    vector: int
    columns: int


def choose(features: str, machine: str) -> Registers:
    """Return the registers of a target.

    Parameters
    ----------
    features : str
        LLVM's features, such as ``"+avx2,+fma"``.
    machine : str
        Architecture, as `platform.machine` names it.
    """
    enabled = set(features.split(","))
    if "+avx512f" in enabled:
        return Registers("AVX-512", vector=16, columns=64)  # 24 sums in 32 registers
    if {"+avx2", "+fma"} <= enabled:
        return Registers("AVX2", vector=8, columns=16)  # 12 in 16
    if machine.lower() in ("aarch64", "arm64"):
        return Registers("NEON", vector=4, columns=16)  # 24 in 32
    return Registers("SSE", vector=4, columns=8)  # 12 in 16


_features = config.CPU_FEATURES
REGISTERS = choose(get_host_cpu_features() if _features is None else _features, platform.machine())
