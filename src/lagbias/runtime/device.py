"""Devices of PyTorch, evaluation in chunks, and errors of full GPUs.

PyTorch is imported only where it is needed: on a CPU, trained networks do without it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from lagbias.runtime import gpu_presence
from lagbias.runtime.messages import first_line

__all__ = ["DeviceFull", "choose_device", "explain_oom", "in_chunks"]

_Result = TypeVar("_Result")

#: Particles per chunk: their activations fit a core's cache, or fill a GPU.
_CHUNK = {"cpu": 1 << 14, "cuda": 1 << 18}
#: Errors of a full GPU that PyTorch's allocator does not raise as OutOfMemoryError.
_FULL = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class DeviceFull(MemoryError):
    """The GPU is out of memory; the message names the task and the remedies."""


def choose_device(name: str) -> str:
    """Return the device that the configuration asks for.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` is CUDA if available and the CPU otherwise.

    Raises
    ------
    ValueError
        If CUDA is requested but not available.
    """
    if name == "cpu" or (name == "auto" and not gpu_presence.has_driver()):
        return "cpu"
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "training.device is 'cuda', but PyTorch finds no CUDA device. Install a CUDA build of "
            "PyTorch, request a GPU for the job, or set training.device to 'auto'."
        )
    return name


def in_chunks(
    work: Callable[[slice], _Result],
    count: int,
    *,
    device: str,
    task: str,
    threads: int = 1,
) -> list[_Result]:
    """Call a function on consecutive chunks of rows.

    Parameters
    ----------
    work : callable
        Takes a slice of rows.
    count : int
        Number of rows.
    device : {"cpu", "cuda"}, keyword-only
        Where `work` computes; determines the length of the chunks.
    task : str, keyword-only
        What `work` does, for error messages, such as "evaluating networks".
    threads : int, keyword-only
        Chunks computed concurrently.

    Returns
    -------
    list
        Results in the order of the rows.

    Raises
    ------
    DeviceFull
        If the GPU is out of memory.
    """
    chunk = _CHUNK[device]
    parts = [slice(first, min(first + chunk, count)) for first in range(0, count, chunk)]
    with explain_oom(task):
        if threads == 1:
            return [work(part) for part in parts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, parts))


@contextmanager
def explain_oom(task: str, remedy: str = "") -> Iterator[None]:
    """Convert out-of-memory errors of a GPU within the block to `DeviceFull`.

    Parameters
    ----------
    task : str
        What the block does, such as "evaluating networks".
    remedy : str
        Further remedy, a sentence.

    Raises
    ------
    DeviceFull
        In place of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        import torch

        full = isinstance(error, torch.OutOfMemoryError) or any(t in str(error) for t in _FULL)
        if not full:
            raise
        raise DeviceFull(
            f"The memory of the GPU is full while {task} ({first_line(error)}). Let fewer jobs "
            f"share the GPU (gpu_share in the profile), end other programs on it, or set "
            f"training.device to 'cpu', and run the workflow again. {remedy}".rstrip()
        ) from error
