"""Where networks run, and what to do when the memory there is full."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from lagbias.runtime.messages import first_line

__all__ = ["CHUNK", "DeviceFull", "choose_device", "full_is_explained", "in_chunks", "on_host"]

_Result = TypeVar("_Result")

#: Particles per pass where no gradient of the weights is needed: a core's cache holds what is made
#: of them, or they fill a GPU.
CHUNK = {"cpu": 1 << 14, "cuda": 1 << 18}
#: Particles that are no longer halved where memory is full: a few MB, which hardly any GPU lacks.
_LEAST_CHUNK = 1 << 10
#: What PyTorch says of a full GPU where it is not its own allocator that meets the limit.
_FULL = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


class DeviceFull(MemoryError):
    """The GPU has too little free memory; the message says for what, and what to do."""


def choose_device(name: str) -> torch.device:
    """Turn the configuration's ``device`` into a device of PyTorch.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` is CUDA where there is a device and the CPU elsewhere.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    ValueError
        If CUDA is asked for and absent.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "training.device is 'cuda', but PyTorch finds no CUDA device here. Install a CUDA "
            "build of PyTorch, check that the job was given a GPU, or set training.device to "
            "'auto'."
        )
    return torch.device(name)


def on_host(tensor: torch.Tensor) -> bool:
    """Say whether Python can look into a tensor without waiting for a device.

    All that is done differently on the CPU and on a GPU depends on this function.

    Parameters
    ----------
    tensor : Tensor
        Any.
    """
    return tensor.device.type == "cpu"


def in_chunks(
    work: Callable[[slice], _Result],
    count: int,
    *,
    device: str | torch.device,
    task: str,
    threads: int = 1,
) -> list[_Result]:
    """Call `work` with one chunk of rows after another, with shorter ones where memory is full.

    Parameters
    ----------
    work : callable
        Takes a slice of rows; may be called again with halves of a slice that it failed for.
    count : int
        All rows.
    device : str or torch.device, keyword-only
        Where `work` is done; decides the length of the chunks.
    task : str, keyword-only
        What is being done, for messages.
    threads : int, keyword-only
        Chunks worked on side by side.

    Returns
    -------
    list
        What `work` returned, in the order of the rows.

    Raises
    ------
    DeviceFull
        If memory is too small for the shortest chunk.
    """
    chunk = CHUNK.get(torch.device(device).type, CHUNK["cuda"])
    parts = [slice(first, min(first + chunk, count)) for first in range(0, count, chunk)]

    def do(part: slice) -> list[_Result]:
        return _halving(work, part, task)

    if threads == 1:
        return [one for part in parts for one in do(part)]
    with ThreadPoolExecutor(threads) as pool:
        return [one for some in pool.map(do, parts) for one in some]


def _halving(work: Callable[[slice], _Result], part: slice, task: str) -> list[_Result]:
    """Call `work` with a slice, or with its halves if memory is too small."""
    try:
        return [work(part)]
    except RuntimeError as error:
        if not _is_full(error):
            raise
        message = first_line(error)
    # outside of the handler, whose error holds on to the tensors of what failed
    size = part.stop - part.start
    if size <= _LEAST_CHUNK:
        raise DeviceFull(_explanation(task, f"even {size} particles at a time", message))
    torch.cuda.empty_cache()
    # a power of two: PyTorch's 10^y rounds as it comes at the end of what is no multiple of 64
    middle = part.start + (1 << ((size - 1).bit_length() - 1))
    halves = slice(part.start, middle), slice(middle, part.stop)
    return [one for half in halves for one in _halving(work, half, task)]


@contextmanager
def full_is_explained(task: str, remedy: str = "") -> Iterator[None]:
    """Turn the errors of a full GPU inside the block into one that says what to do.

    Parameters
    ----------
    task : str
        What is being done.
    remedy : str
        What helps beside the usual, a whole sentence.

    Raises
    ------
    DeviceFull
        Instead of what PyTorch raises.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_full(error):
            raise
        raise DeviceFull(_explanation(task, "this", first_line(error), remedy)) from error


def _is_full(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in _FULL)


def _explanation(task: str, too_much: str, message: str, remedy: str = "") -> str:
    return " ".join(
        f"The memory of the GPU is full: there was no room for {too_much} while {task} "
        f"({message}). Let fewer jobs share the GPU (gpu_share in the profile), end other "
        f"programs on it, or set training.device to 'cpu', and run the workflow again. "
        f"{remedy}".split()
    )
