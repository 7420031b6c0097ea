"""The choice of a device."""

import pytest
import torch

from lagbias.device import choose_device


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
