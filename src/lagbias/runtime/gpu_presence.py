"""Whether there can be a GPU, said without PyTorch, which takes seconds to load."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["warning"]

#: What drivers show of themselves: NVIDIA's, AMD's, and that of Windows below Linux.
_SIGNS = tuple(Path(sign) for sign in ("/proc/driver/nvidia/version", "/dev/kfd", "/dev/dxg"))


def warning(device: str, signs: Sequence[Path] = _SIGNS) -> str:
    """Return what to say at the start of a run whose networks would find no GPU here.

    Trainings come after the simulations, hours later in a large run.

    Parameters
    ----------
    device : str
        ``training.device`` of the configuration.
    signs : sequence of Path
        Files of which a machine with a GPU has one.

    Returns
    -------
    str
        A paragraph; empty where there is no reason for one.
    """
    if device != "cuda" or any(sign.exists() for sign in signs):
        return ""
    return (
        "training.device is 'cuda', but this machine shows no driver of a GPU. Jobs of a batch "
        "system may find one where they run; training here would fail, after everything that "
        "comes before it. Set training.device to 'auto' to train on the processor where there is "
        "no GPU."
    )
