"""The machine: what it is, and how fast it copies and multiplies."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numba
import numpy as np
import torch

from lagbias.training.cpu_kernels.registers import REGISTERS

__all__ = ["AVX2_ONLY", "Limits", "describe", "narrower"]

#: Environment in which every library keeps to AVX2 on a processor that has more.
AVX2_ONLY = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+sse4.2,+sse4.1,+ssse3,+sse3,+sse2,+sse,+popcnt,+f16c,"
    "+bmi,+bmi2,+lzcnt,+movbe",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}

#: Several times the last-level cache of common processors, in float64.
_COPIED = 1 << 23
#: Side of the matrices multiplied: large enough for full speed, a few milliseconds each.
_MATRIX = 768
_PACKAGES = ("lagbias", "numpy", "scipy", "torch", "numba", "pyfftw", "abacusutils", "snakemake")


class Limits:
    """Measures what no program on this machine can beat.

    Parameters
    ----------
    threads : int
        Threads that copy and multiply together.
    """

    def __init__(self, threads: int):
        self._threads = threads
        self._a, self._b, self._c = (np.full(_COPIED, value) for value in (0.0, 1.0, 2.0))
        self._left = np.ones((_MATRIX, _MATRIX), np.float32)
        self._right = self._left.copy()

    def probe(self) -> dict[str, float]:
        """Measure once.

        Returns
        -------
        dict
            ``copy`` and ``triad``, memory traffic in bytes/s as STREAM counts it (no
            write-allocate), and ``sgemm``, float32 operations/s; all of `threads` threads.
        """
        return {"copy": self._copy(), "triad": self._triad(), "sgemm": self._sgemm()}

    def _copy(self) -> float:
        parts = np.array_split(np.arange(_COPIED), self._threads)
        rows = [slice(part[0], part[-1] + 1) for part in parts]
        with ThreadPoolExecutor(self._threads) as pool:
            started = time.perf_counter()
            list(pool.map(lambda r: np.copyto(self._a[r], self._b[r]), rows))
            return 16 * _COPIED / (time.perf_counter() - started)

    def _triad(self) -> float:
        """Form a = b + s c in one pass, for which NumPy has no call."""
        a, b, c = (torch.from_numpy(array) for array in (self._a, self._b, self._c))
        torch.set_num_threads(self._threads)
        started = time.perf_counter()
        torch.add(b, c, alpha=3.0, out=a)
        return 24 * _COPIED / (time.perf_counter() - started)

    def _sgemm(self) -> float:
        """Multiply matrices with PyTorch and with NumPy, and return the faster rate."""
        left, right = torch.from_numpy(self._left), torch.from_numpy(self._right)
        torch.set_num_threads(self._threads)
        started = time.perf_counter()
        torch.mm(left, right)
        between = time.perf_counter()
        np.matmul(self._left, self._right)
        ended = time.perf_counter()
        return 2 * _MATRIX**3 / min(between - started, ended - between)


def describe(threads: int) -> dict:
    """Describe processor, cores, memory, versions and threads.

    Parameters
    ----------
    threads : int
        Threads of every contender.
    """
    return {
        "cpu": _cpu_model(),
        "instructions": REGISTERS.name,
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "threads": {
            "suite": threads,
            "numba": numba.config.NUMBA_NUM_THREADS,
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        },
        "load": os.getloadavg()[0],
    }


def narrower() -> dict[str, str] | None:
    """Return the environment of a narrower instruction set that this processor can be held to."""
    return AVX2_ONLY if REGISTERS.name == "AVX-512" else None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    found = {
        line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if ":" in line
    }
    return (
        f"{found.get('model name')} (family {found.get('cpu family')}, model {found.get('model')})"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "source tree"
