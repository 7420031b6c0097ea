"""Where networks run."""

import torch

__all__ = ["choose_device"]


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
