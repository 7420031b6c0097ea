"""The choice of a device, and what is done where its memory is full."""

import threading

import pytest
import torch

from lagbias.runtime import device
from lagbias.runtime.device import DeviceFull, choose_device, full_is_explained, in_chunks

OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 64.00 MiB. GPU 0 has a total capacity of 1.00 GiB "
    "of which 3.00 MiB is free.\nSee documentation for Memory Management"
)


def test_the_processor_can_always_be_chosen():
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("present", "expected"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_what_there_is(monkeypatch, present, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert choose_device("auto").type == expected


def test_a_missing_gpu_is_explained(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"training\.device is 'cuda'.*CUDA build"):
        choose_device("cuda")


def ranges(monkeypatch, count, *, room, least=1, threads=1, task="counting"):
    """Return which rows were worked on, in chunks of 64 with room for fewer, and what was tried."""
    monkeypatch.setitem(device.CHUNK, "cpu", 64)
    monkeypatch.setattr(device, "_LEAST_CHUNK", least)
    tried, lock = [], threading.Lock()

    def work(part):
        size = part.stop - part.start
        with lock:
            tried.append(size)
        if size > room:
            raise torch.OutOfMemoryError(OUT_OF_MEMORY)
        return range(part.start, part.stop)

    found = in_chunks(work, count, device="cpu", task=task, threads=threads)
    return found, tried


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("room", [1, 10, 63, 64])
def test_full_memory_shortens_chunks_and_loses_no_row(monkeypatch, room, threads):
    found, tried = ranges(monkeypatch, 150, room=room, threads=threads)
    assert [row for rows in found for row in rows] == list(range(150))
    assert all(len(rows) <= room for rows in found)
    if room == 64:
        assert sorted(tried) == [22, 64, 64]


def test_no_rows_are_no_work(monkeypatch):
    assert ranges(monkeypatch, 0, room=64) == ([], [])


def test_a_gpu_too_full_for_the_shortest_chunk_is_explained(monkeypatch):
    with pytest.raises(DeviceFull) as caught:
        ranges(monkeypatch, 150, room=3, least=8, task="counting sheep")
    text = str(caught.value)
    assert "no room for even 8 particles at a time while counting sheep" in text
    assert "3.00 MiB is free" in text and "\n" not in text
    for remedy in ("gpu_share", "training.device to 'cpu'", "run the workflow again"):
        assert remedy in text
    assert isinstance(caught.value, MemoryError)  # which a job shows as one paragraph


def test_chunks_are_longer_on_a_gpu():
    counted = [
        len(in_chunks(lambda part: part, 1 << 18, device=where, task=""))
        for where in ("cpu", "cuda", torch.device("cuda", 1))
    ]
    assert counted == [16, 1, 1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(OUT_OF_MEMORY),
        # where a job's first use of the GPU finds no room, PyTorch's allocator is not asked yet
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_every_way_of_being_full_is_known(error):
    with pytest.raises(DeviceFull, match=r"room for this while training .*again\. Sleep\.$"):
        with full_is_explained("training", "Sleep."):
            raise error


def test_other_errors_stay_what_they_are():
    def broken(part):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        in_chunks(broken, 5, device="cpu", task="")
    with pytest.raises(RuntimeError, match="illegal"), full_is_explained("training"):
        broken(None)
