"""The choice of a device, chunks of rows, and the errors of a full GPU."""

import pytest
import torch

from lagbias.runtime import device, gpu_presence
from lagbias.runtime.device import DeviceFull, choose_device, explain_oom, in_chunks

OUT_OF_MEMORY = (
    "CUDA out of memory. Tried to allocate 64.00 MiB. GPU 0 has a total capacity of 1.00 GiB "
    "of which 3.00 MiB is free.\nSee documentation for Memory Management"
)


@pytest.mark.parametrize(
    ("driver", "present", "expected"),
    [(True, True, "cuda"), (True, False, "cpu"), (False, True, "cpu")],
)
def test_auto_is_cuda_if_available(monkeypatch, driver, present, expected):
    monkeypatch.setattr(gpu_presence, "has_driver", lambda: driver)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert choose_device("auto") == expected
    assert choose_device("cpu") == "cpu"


def test_a_missing_gpu_is_explained(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"training\.device is 'cuda'.*no CUDA device.*'auto'"):
        choose_device("cuda")


@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_come_in_order_and_lose_no_row(monkeypatch, threads):
    monkeypatch.setitem(device._CHUNK, "cpu", 64)
    for count in (0, 64, 150):
        found = in_chunks(lambda part: part, count, device="cpu", task="", threads=threads)
        rows = [row for part in found for row in range(part.start, part.stop)]
        assert rows == list(range(count))
        assert len(found) == -(-count // 64)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(OUT_OF_MEMORY),
        # raised when the first use of the GPU finds no memory, before PyTorch's allocator
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_a_full_gpu_is_explained(error):
    def work(part):
        raise error

    for threads in (1, 2):
        with pytest.raises(DeviceFull) as caught:
            in_chunks(work, 5, device="cpu", task="counting sheep", threads=threads)
    text = str(caught.value)
    assert text.startswith("The memory of the GPU is full while counting sheep (CUDA ")
    assert all(word in text for word in ("gpu_share", "training.device to 'cpu'"))
    assert "\n" not in text and isinstance(caught.value, MemoryError)
    with pytest.raises(DeviceFull, match=r"again\. Sleep\.$"), explain_oom("training", "Sleep."):
        raise error


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="illegal"), explain_oom("training"):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_real_full_gpu_is_explained():
    with pytest.raises(DeviceFull, match="GPU is full while asking for everything"):
        with explain_oom("asking for everything"):
            torch.empty(1 << 50, dtype=torch.uint8, device="cuda")
