"""The GPU, and whether PyTorch can use it."""

from collections.abc import Iterator
from dataclasses import dataclass

from lagbias.cli.doctor.finding import Finding, Mark, gigabytes
from lagbias.runtime import gpu_presence

__all__ = ["Gpu", "judge", "measure"]

_MEASURED = "docs/performance.md, On a GPU"


@dataclass(frozen=True)
class Gpu:
    """What the machine and PyTorch say.

    Attributes
    ----------
    driver : bool
        Whether there is a driver. If not, PyTorch is not asked.
    build : str
        Version of PyTorch.
    cuda : str
        Version of CUDA or ROCm that PyTorch was built for; empty for none.
    devices : tuple of (str, int, int)
        Name, free and total memory in bytes of each device that PyTorch can use.
    error : str
        Why PyTorch could not be asked.
    """

    driver: bool
    build: str = ""
    cuda: str = ""
    devices: tuple[tuple[str, int, int], ...] = ()
    error: str = ""


def measure() -> Gpu:
    """Look for a driver; if there is one, ask PyTorch, which takes seconds to import."""
    if not gpu_presence.has_driver():
        return Gpu(driver=False)
    try:
        import torch

        devices = tuple(
            (torch.cuda.get_device_name(index), *torch.cuda.mem_get_info(index))
            for index in range(torch.cuda.device_count())
        )
    except Exception as error:  # whatever a broken installation raises is the finding
        return Gpu(driver=True, error=str(error).partition("\n")[0] or type(error).__name__)
    cuda = torch.version.cuda or torch.version.hip or ""
    return Gpu(driver=True, build=torch.__version__, cuda=cuda, devices=devices)


def judge(facts: Gpu, *, device: str = "auto") -> Iterator[Finding]:
    """Judge whether a GPU is used.

    Parameters
    ----------
    facts : Gpu
    device : {"auto", "cpu", "cuda"}, keyword-only
        ``training.device`` of the configuration.
    """
    if device == "cpu":
        yield Finding(Mark.OK, "GPU", "not used, as the configuration says")
        return
    if facts.devices:
        for name, free, total in facts.devices:
            yield Finding(Mark.OK, "GPU", f"{name}, {gigabytes(free)} of {gigabytes(total)} free")
        return
    if device == "auto" and not facts.driver:
        yield Finding(Mark.OK, "GPU", "no driver; networks use compiled kernels on the CPU")
        return
    what, remedy = _why_not(facts)
    if device == "cuda":
        mark, cost = Mark.PROBLEM, "training.device is cuda, and trainings would fail"
    else:
        mark, cost = Mark.NOTE, f"it stays idle, networks use the CPU ({_MEASURED})"
    yield Finding(mark, "GPU", what, cost, remedy)


def _why_not(facts: Gpu) -> tuple[str, str]:
    """Say why PyTorch has no device, and what to do."""
    if not facts.driver:
        return "no driver", "Run on a node with a GPU, or set training.device to auto."
    if facts.error:
        return f"PyTorch fails ({facts.error})", "Reinstall torch as in constraints.txt."
    if not facts.cuda:
        return (
            f"driver, but PyTorch {facts.build} is a build without CUDA",
            'Install another: make setup PIP_ARGS="--extra-index-url ..." '
            "(docs/how-to/cluster.md).",
        )
    return (
        f"driver, but PyTorch {facts.build} (CUDA {facts.cuda}) finds no device",
        "See what nvidia-smi says, unset CUDA_VISIBLE_DEVICES, or ask the batch system for a GPU.",
    )
