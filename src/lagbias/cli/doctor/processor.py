"""Cores, threads and instructions."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lagbias.cli.doctor import control_group
from lagbias.cli.doctor.finding import Finding, Mark
from lagbias.runtime.cores import usable_cores

__all__ = ["AVX2_EVALUATION", "AVX2_TRAINING", "Processor", "judge", "measure"]

_FORCING = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
_LIMITING = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_DISABLE = "NUMBA_DISABLE_JIT"
_MEASURED = "docs/performance.md"
#: Times of AVX2 over those of AVX-512 for training and evaluation; a test holds them to that page.
AVX2_TRAINING, AVX2_EVALUATION = 1.8, 1.9


@dataclass(frozen=True)
class Processor:
    """Cores and instructions.

    Attributes
    ----------
    cores : int
        Of the machine.
    usable : int
        On which this process may run.
    quota : float or None
        Cores whose time its control group may use.
    environment : dict of str to str
        Variables that limit threads or choose instructions, where they are set.
    instructions : str
        Name of the instruction set that kernels are compiled for; empty if Numba does not work.
    columns : int
        Columns of the tiles of six rows that the kernels of networks use.
    error : str
        Why Numba does not work.
    """

    cores: int
    usable: int
    quota: float | None
    environment: dict[str, str]
    instructions: str = ""
    columns: int = 0
    error: str = ""


def measure(environment: Mapping[str, str] = os.environ) -> Processor:
    """Ask the system and Numba."""
    cores = os.cpu_count() or 1
    usable = usable_cores()
    names = (*_LIMITING, *_FORCING, _DISABLE)
    found = {name: environment[name] for name in names if environment.get(name)}
    try:
        from lagbias.training.cpu_kernels.registers import REGISTERS
    except Exception as error:  # whatever a broken installation raises is the finding
        return Processor(cores, usable, control_group.cores(), found, error=str(error))
    return Processor(cores, usable, control_group.cores(), found, REGISTERS.name, REGISTERS.columns)


def judge(facts: Processor) -> Iterator[Finding]:
    """Judge cores, threads and instructions."""
    yield _cores(facts)
    yield from _threads(facts)
    if facts.error:
        yield Finding(
            Mark.PROBLEM,
            "Numba",
            f"cannot be imported ({facts.error})",
            "no kernel can be compiled",
            "Reinstall numba and llvmlite as in constraints.txt.",
        )
        return
    if facts.environment.get(_DISABLE, "0") != "0":
        yield Finding(
            Mark.PROBLEM,
            "Numba",
            f"{_DISABLE} = {facts.environment[_DISABLE]}",
            "every kernel runs in Python's interpreter",
            f"Unset {_DISABLE}.",
        )
    yield _instructions(facts)


def _cores(facts: Processor) -> Finding:
    what = f"{facts.usable} of {facts.cores} may be used"
    if facts.quota is None or facts.quota >= facts.usable:
        return Finding(Mark.OK, "cores", what)
    whole = max(1, int(facts.quota))
    return Finding(
        Mark.NOTE,
        "cores",
        f"{what}, but the control group allows the time of {facts.quota:g}",
        f"`--cores all` starts {facts.usable} jobs that share it and each take their memory",
        f"Use --cores {whole} (make figures CORES={whole}), and --threads {whole} elsewhere.",
    )


def _threads(facts: Processor) -> Iterator[Finding]:
    for name in _LIMITING:
        value = facts.environment.get(name)
        if value is None:
            continue
        if name != "NUMBA_NUM_THREADS":
            yield Finding(
                Mark.OK,
                name,
                f"{value}; Numba and FFTW do not heed it, and trainings have one thread each",
            )
        elif value.isdigit() and int(value) < facts.usable:
            yield Finding(
                Mark.NOTE,
                name,
                f"{value}, with {facts.usable} cores",
                "it is the most that simulations and painting use; two threads made an N-body step "
                f"1.8 times as fast ({_MEASURED})",
                f"Unset {name}.",
            )


def _instructions(facts: Processor) -> Finding:
    tiles = f"{facts.instructions}, tiles of 6 × {facts.columns}"
    forced = [name for name in _FORCING if name in facts.environment]
    remedy = ""
    if forced:
        tiles += f", chosen by {' and '.join(forced)}"
        remedy = f"Unset {' and '.join(forced)}."
    costs = {
        "AVX-512": "",
        "AVX2": f"trainings take {AVX2_TRAINING} and evaluations {AVX2_EVALUATION} times as long "
        f"as with AVX-512 ({_MEASURED})",
        "NEON": f"these kernels have never been timed ({_MEASURED})",
        "SSE": f"these kernels have never been timed, AVX2 and AVX-512 have ({_MEASURED})",
    }
    cost = costs[facts.instructions]
    return Finding(Mark.NOTE if cost else Mark.OK, "instructions", tiles, cost, remedy)
