"""Checkpoints of an interrupted training, from which it continues as if unbroken.

Random state need not be stored: every generator is made anew from the seed and the epoch.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lagbias.artefacts import store
from lagbias.training.losses import Constraint
from lagbias.training.optimiser import Adam
from lagbias.training.training_set import TrainingSet

__all__ = ["Keeper", "fingerprint", "resume", "snapshot", "write"]

logger = logging.getLogger(__name__)

#: Settings that decide what is trained; a checkpoint made with others is not used.
_SETTINGS = (
    "hidden_layers",
    "width",
    "epochs",
    "learning_rate",
    "learning_rate_decay",
    "cells_per_batch",
    "fixed_batches",
    "loss",
    "constraint",
    "constraint_sample",
)
#: Ends of a training after which its state is good: requests, and memory that is full.
_KEEPING = (SystemExit, KeyboardInterrupt, MemoryError)
_MOMENTS = ("first_moments", "second_moments")
_MOST_STEPS = 2**53


def fingerprint(
    training_sets: Sequence[TrainingSet], settings, *, seed: int, device: str | torch.device
) -> str:
    """Return a hash of everything that decides the result of a training.

    Parameters
    ----------
    training_sets : sequence of TrainingSet
        The data trained on and those of the validation box, where there are any.
    settings, seed, device
        The arguments of `lagbias.training.loop.train`.
    """
    words = [f"{name}={getattr(settings, name)!r}" for name in _SETTINGS]
    words += [f"seed={seed}", torch.device(device).type]
    digest = hashlib.sha256(repr(words).encode())
    for data in training_sets:
        digest.update(f"n_cells={data.n_cells}".encode())
        for name in ("inputs", "cell_start", "cell_factor", "target"):
            array = np.ascontiguousarray(getattr(data, name))
            digest.update(f"{name}{array.shape}{array.dtype}".encode())
            digest.update(array)
    return digest.hexdigest()


class Keeper:
    """Keeps the state of a training after its last whole epoch, and writes it now and then.

    It is a context manager: where a block is left because the process is to end (see
    `lagbias.runtime.termination`, or Ctrl-C) or memory is full, it writes the state that it keeps, which
    takes milliseconds where the end of an epoch may be half a minute off. Other errors write
    nothing.

    Parameters
    ----------
    path : Path or None
        The file, replaced atomically; without one, nothing is kept.
    key : str
        From `fingerprint`.
    interval : float
        Least time between two writes [s].
    """

    def __init__(self, path: Path | None, key: str, interval: float):
        self._path, self._key, self._interval = path, key, interval
        self._last_write = time.monotonic()
        self._kept: dict | None = None  # what is not written yet

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._kept is None or not isinstance(error, _KEEPING):
            return
        epoch = self._kept["attributes"]["epoch"]
        self._write()
        why = str(error) or kind.__name__
        logger.warning("Training stopped (%s): its state after epoch %d is kept.", why, epoch)

    def keep(self, epoch: int, **state) -> None:
        """Take a `snapshot` of a training, and write it if the interval has passed."""
        if self._path is None:
            return
        self._kept = snapshot(self._key, epoch=epoch, **state)
        if time.monotonic() - self._last_write > self._interval:
            self._write()

    def _write(self) -> None:
        write(self._path, self._kept)
        self._kept = None
        self._last_write = time.monotonic()


def snapshot(
    key: str,
    *,
    epoch: int,
    network: torch.nn.Module,
    optimiser: Adam,
    constraint: Constraint,
    history: dict[str, list[float]],
) -> dict:
    """Copy the state of a training after a whole epoch.

    Parameters
    ----------
    key : str
        From `fingerprint`.
    epoch : int
        Epochs done.
    network, optimiser, constraint
        What is being trained, with what.
    history : dict of str to list of float
        One value per epoch done.

    Returns
    -------
    dict
        What `write` takes.
    """
    parameters = list(network.parameters())
    datasets = {
        "parameters": _vector(parameters),
        **{name: _vector(getattr(optimiser, name)) for name in _MOMENTS},
        "constraint_state": _vector([constraint.state]),
    }
    for name, values in history.items():
        # NaN is the validation loss where there is no validation box
        datasets[name] = store.Dataset(np.array(values), "1", ("epoch",), finite=False)
    steps = optimiser.steps[0].item()
    attributes = {"fingerprint": key, "epoch": epoch, "optimiser_steps": steps}
    return {"datasets": datasets, "attributes": attributes}


def write(path: Path, state: dict) -> None:
    """Write a `snapshot` of a training, atomically (see `lagbias.artefacts.store.write`)."""
    store.write(path, "checkpoint", **state)


def resume(
    path: Path,
    key: str,
    *,
    network: torch.nn.Module,
    optimiser: Adam,
    constraint: Constraint,
    history: dict[str, list[float]],
    epochs: int | None = None,
) -> int:
    """Load a checkpoint into what is being trained.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    key : str
        From `fingerprint`; a checkpoint with another key is ignored.
    network, optimiser, constraint, history
        Changed in place.
    epochs : int, optional
        Epochs of the whole training; a checkpoint that has done more is ignored.

    Returns
    -------
    int
        Epochs done: 0 where there is no checkpoint to use, with nothing changed.
    """
    if not path.exists():
        return 0
    try:
        saved = store.read(path, "checkpoint")
    except store.ArtefactError as error:
        logger.warning("Checkpoint ignored, training starts anew: %s", error)
        return 0
    if saved.attributes.get("fingerprint") != key:
        logger.warning("Checkpoint %s is of other settings or data; training starts anew.", path)
        return 0
    parameters = list(network.parameters())
    # all is looked at before anything is changed
    if problem := _problem(saved, parameters, constraint, list(history), epochs):
        logger.warning(
            "Checkpoint %s is no state of this training (%s); it starts anew.", path, problem
        )
        return 0
    held = {"parameters": [parameter.data for parameter in parameters]}
    held |= {name: getattr(optimiser, name) for name in _MOMENTS}
    for name, tensors in held.items():
        for tensor, value in zip(tensors, _split(saved[name], parameters), strict=True):
            tensor.copy_(value)
    for step in optimiser.steps:
        step.fill_(saved.attributes["optimiser_steps"])
    constraint.state.copy_(torch.from_numpy(saved["constraint_state"]))
    for name in history:
        history[name][:] = saved[name].tolist()
    epoch = int(saved.attributes["epoch"])
    logger.info("Training continues after epoch %d from %s.", epoch, path)
    return epoch


def _problem(
    saved: store.Artefact,
    parameters: Sequence[torch.nn.Parameter],
    constraint: Constraint,
    history: Sequence[str],
    epochs: int | None,
) -> str | None:
    """Say what keeps a checkpoint from being a state of a training, or None."""
    epoch, steps = (saved.attributes.get(name) for name in ("epoch", "optimiser_steps"))
    for name, number in (("epoch", epoch), ("optimiser_steps", steps)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            return f"{name} is no number"
        if not 1 <= number < _MOST_STEPS or number != int(number):
            return f"{name} is {number}"
    if steps % epoch or (epochs is not None and epoch > epochs):
        return f"there are {steps:.0f} steps in {epoch:.0f} epochs of {epochs}"
    size = sum(parameter.numel() for parameter in parameters)
    lengths = dict.fromkeys(("parameters", *_MOMENTS), size)
    lengths["constraint_state"] = constraint.state.numel()
    lengths |= dict.fromkeys(history, int(epoch))
    for name, length in lengths.items():
        if (values := saved.arrays.get(name)) is None:
            return f"it lacks {name}"
        kind = np.float64 if name in history else np.float32
        if values.shape != (length,) or values.dtype != kind:
            return f"{name} has shape {values.shape} and type {values.dtype}"
        # the loss on the validation box is NaN where there is none
        if name not in history and not np.isfinite(values).all():
            return f"{name} has values that are not finite"
    if any((saved[name] < 0).any() for name in ("second_moments", "constraint_state")):
        return "means of squares, or masses, are negative"
    return None


def _vector(tensors: list[torch.Tensor]) -> store.Dataset:
    """Copy tensors, end to end, to one dataset."""
    values = torch.cat([tensor.detach().ravel() for tensor in tensors]).cpu().numpy()
    return store.Dataset(values, "1", ("index",))


def _split(vector: np.ndarray, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """Cut a vector into tensors shaped like the parameters."""
    pieces = torch.from_numpy(vector).split([parameter.numel() for parameter in parameters])
    return [piece.view_as(p).clone() for piece, p in zip(pieces, parameters, strict=True)]
