"""Checkpoints, from which an interrupted training continues with the result of an unbroken one.

Random state is not stored: every generator depends on the seed and the epoch only.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from lagbias.runtime import checkpoints
from lagbias.training.network import Network
from lagbias.training.training_set import TrainingSet

if TYPE_CHECKING:
    from lagbias.config.sections import TrainingSettings

__all__ = ["CheckpointWriter", "fingerprint", "resume"]

logger = logging.getLogger(__name__)

#: Settings that affect the result of a training.
_SETTINGS = (
    "hidden_layers",
    "width",
    "combinations",
    "epochs",
    "validation_interval",
    "learning_rate",
    "learning_rate_decay",
    "cells_per_batch",
    "fixed_batches",
    "loss",
    "constraint",
    "constraint_sample",
    "fourier_rounds",
    "fourier_cut",
    "fourier_power_weight",
)
#: Ends of a training that leave its state intact.
_INTERRUPTIONS = (SystemExit, KeyboardInterrupt, MemoryError)


def fingerprint(
    training_sets: Sequence[TrainingSet],
    settings: TrainingSettings,
    *,
    seed: int,
    device: str | torch.device,
    initial: Network | None = None,
) -> str:
    """Return a hash of everything that affects the result of a training.

    Parameters
    ----------
    training_sets : sequence of TrainingSet
        Training data and, if any, validation data.
    settings, seed, device, initial
        See `lagbias.training.loop.train`.
    """
    words = [f"{name}={getattr(settings, name)!r}" for name in _SETTINGS]
    words += [f"seed={seed}", torch.device(device).type]
    digest = hashlib.sha256(repr(words).encode())
    for weight in initial.weights.values() if initial else ():
        digest.update(weight)
    for data in training_sets:
        digest.update(f"n_cells={data.n_cells}".encode())
        names = ("inputs", "cell_start", "cell_factor", "target", "cell_index")
        arrays = {name: getattr(data, name) for name in names}
        for number, field in enumerate(data.fields):
            arrays[f"position{number}"] = field.position
            arrays[f"overdensity{number}"] = field.overdensity
        for name, values in arrays.items():
            array = np.ascontiguousarray(values)
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(array)
    return digest.hexdigest()


class CheckpointWriter:
    """Context manager that writes checkpoints of a training at intervals.

    When the block ends, be it because the process is to stop (see `lagbias.runtime.termination`,
    or Ctrl-C) or memory is full, it writes the state after the last complete epoch. Other errors
    write nothing.

    Parameters
    ----------
    path : Path or None
        The file, replaced atomically; nothing is written if None.
    key : str
        See `fingerprint`.
    interval : float
        Minimum interval between two writes [s].
    """

    def __init__(self, path: Path | None, key: str, interval: float):
        self._path, self._key, self._interval = path, key, interval
        self._last_write = time.monotonic()
        self._unwritten: dict[str, np.ndarray] | None = None

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if self._unwritten is None or not (error is None or isinstance(error, _INTERRUPTIONS)):
            return
        epoch = int(self._unwritten["epoch"])
        self._write()
        if error is not None:
            why = str(error) or kind.__name__
            logger.warning("Training stopped (%s): its state after epoch %d is kept.", why, epoch)

    def update(self, tensors: Mapping[str, torch.Tensor], history: Mapping[str, list]) -> None:
        """Copy the state at the end of an epoch, and write it if the interval has passed.

        Parameters
        ----------
        tensors : mapping of str to Tensor
            Everything that changes during training.
        history : mapping of str to list of float
            One value per completed epoch.
        """
        if self._path is None:
            return
        epochs = len(next(iter(history.values())))
        copies = {f"tensor.{name}": t.detach().cpu().numpy().copy() for name, t in tensors.items()}
        copies |= {f"history.{name}": np.array(values) for name, values in history.items()}
        self._unwritten = {"epoch": np.array(epochs), **copies}
        if time.monotonic() - self._last_write > self._interval:
            self._write()

    def _write(self) -> None:
        checkpoints.write(self._path, self._key, self._unwritten)
        self._unwritten, self._last_write = None, time.monotonic()


def resume(
    path: Path,
    key: str,
    tensors: Mapping[str, torch.Tensor],
    history: Mapping[str, list],
) -> int:
    """Load a checkpoint into the state of a training.

    Parameters
    ----------
    path : Path
        The file, which need not exist. It is ignored if it is damaged or has another key.
    key : str
        See `fingerprint`.
    tensors, history
        See `CheckpointWriter.update`; changed in place.

    Returns
    -------
    int
        Number of completed epochs; 0 if there is no usable checkpoint.
    """
    names = ["epoch", *(f"tensor.{n}" for n in tensors), *(f"history.{n}" for n in history)]
    if (saved := checkpoints.find(path, key, names)) is None:
        return 0
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(saved[f"tensor.{name}"]))
    for name, values in history.items():
        values[:] = saved[f"history.{name}"].tolist()
    epoch = int(saved["epoch"])
    logger.info("Training continues after epoch %d from %s.", epoch, path)
    return epoch
