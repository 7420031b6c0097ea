"""Detection of a GPU without PyTorch, whose import takes seconds."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["has_driver", "warning"]

#: Files of the drivers of NVIDIA, of AMD, and of WSL.
_SIGNS = tuple(Path(sign) for sign in ("/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg"))


def has_driver(signs: Sequence[Path] = _SIGNS) -> bool:
    """Return whether the machine may have a GPU that PyTorch can use as a CUDA device.

    Parameters
    ----------
    signs : sequence of Path
        Files of which a machine with a GPU has one.
    """
    return any(sign.exists() for sign in signs)


def warning(device: str, signs: Sequence[Path] = _SIGNS) -> str:
    """Return a warning if trainings ask for CUDA on a machine without a GPU driver.

    It is meant for the start of a run: trainings come after hours of simulations.

    Parameters
    ----------
    device : str
        ``training.device`` of the configuration.
    signs : sequence of Path
        See `has_driver`.

    Returns
    -------
    str
        The warning; empty if there is no reason for one.
    """
    if device != "cuda" or has_driver(signs):
        return ""
    return (
        "training.device is 'cuda', but this machine has no GPU driver. Jobs of a batch system "
        "may run on nodes with a GPU; trainings on this machine would fail, after all steps "
        "before them. Set training.device to 'auto' to use the CPU where there is no GPU."
    )
